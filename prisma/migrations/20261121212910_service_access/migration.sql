-- CreateTable
CREATE TABLE "tenant_service_access" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "sealed_document" TEXT COLLATE "C" NOT NULL,

    CONSTRAINT "tenant_service_access_pkey" PRIMARY KEY ("tenant_id")
);
