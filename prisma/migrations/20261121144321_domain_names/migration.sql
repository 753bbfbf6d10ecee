-- CreateTable
CREATE TABLE "domain_names" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "certificate_ids" TEXT[] COLLATE "C",
    "document" JSON NOT NULL,

    CONSTRAINT "domain_names_pkey" PRIMARY KEY ("tenant_id","name")
);

-- CreateTable
CREATE TABLE "base_path_mappings" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "domain_name" TEXT COLLATE "C" NOT NULL,
    "base_path" TEXT COLLATE "C" NOT NULL,
    "api_id" TEXT COLLATE "C" NOT NULL,
    "document" JSON NOT NULL,

    CONSTRAINT "base_path_mappings_pkey" PRIMARY KEY ("tenant_id","domain_name","base_path")
);

-- CreateTable
CREATE TABLE "certificates" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "is_inline" BOOLEAN NOT NULL,
    "sealed_key" BYTEA NOT NULL,
    "document" JSON NOT NULL,

    CONSTRAINT "certificates_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateIndex
CREATE UNIQUE INDEX "domain_names_name_key" ON "domain_names"("name");

-- CreateIndex
CREATE INDEX "base_path_mappings_tenant_id_api_id_idx" ON "base_path_mappings"("tenant_id", "api_id");

-- AddForeignKey
ALTER TABLE "base_path_mappings" ADD CONSTRAINT "base_path_mappings_tenant_id_domain_name_fkey" FOREIGN KEY ("tenant_id", "domain_name") REFERENCES "domain_names"("tenant_id", "name") ON DELETE CASCADE ON UPDATE CASCADE;
