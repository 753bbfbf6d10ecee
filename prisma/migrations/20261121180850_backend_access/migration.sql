-- AlterTable
ALTER TABLE "stages" ADD COLUMN     "client_certificate_id" TEXT COLLATE "C";

-- AlterTable
ALTER TABLE "methods" ADD COLUMN     "vpc_link_id" TEXT COLLATE "C";

-- CreateTable
CREATE TABLE "client_certificates" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "sealed_key" BYTEA NOT NULL,
    "document" JSON NOT NULL,

    CONSTRAINT "client_certificates_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "vpc_links" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "document" JSON NOT NULL,

    CONSTRAINT "vpc_links_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateIndex
CREATE INDEX "stages_tenant_id_client_certificate_id_idx" ON "stages"("tenant_id", "client_certificate_id");

-- CreateIndex
CREATE INDEX "methods_tenant_id_vpc_link_id_idx" ON "methods"("tenant_id", "vpc_link_id");
