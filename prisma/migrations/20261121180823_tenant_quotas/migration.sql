-- CreateTable
CREATE TABLE "tenant_quotas" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "document" JSON NOT NULL,

    CONSTRAINT "tenant_quotas_pkey" PRIMARY KEY ("tenant_id")
);
