-- CreateTable
CREATE TABLE "tenant_placements" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "pool" TEXT COLLATE "C" NOT NULL,

    CONSTRAINT "tenant_placements_pkey" PRIMARY KEY ("tenant_id")
);
