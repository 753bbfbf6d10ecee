-- AlterTable
ALTER TABLE "credentials" ADD COLUMN     "calls_only" BOOLEAN NOT NULL DEFAULT false;

-- CreateTable
CREATE TABLE "identity_policies" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "principal_arn" TEXT COLLATE "C" NOT NULL,
    "document" JSON NOT NULL,

    CONSTRAINT "identity_policies_pkey" PRIMARY KEY ("tenant_id","principal_arn")
);

-- Who manages a tenant may call its APIs. Of tenants made from here on, it is written with them.
INSERT INTO "identity_policies" ("tenant_id", "principal_arn", "document")
SELECT "tenant_id", "principal_arn", json_build_object(
  'principalArn', "principal_arn",
  'document', '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}',
  'region', NULL
)
FROM (SELECT DISTINCT "tenant_id", "principal_arn" FROM "credentials") AS principals;
