-- CreateTable
CREATE TABLE "api_parts" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "api_id" TEXT COLLATE "C" NOT NULL,
    "kind" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "document" JSON NOT NULL,

    CONSTRAINT "api_parts_pkey" PRIMARY KEY ("tenant_id","api_id","kind","id")
);

-- AddForeignKey
ALTER TABLE "api_parts" ADD CONSTRAINT "api_parts_tenant_id_api_id_fkey" FOREIGN KEY ("tenant_id", "api_id") REFERENCES "rest_apis"("tenant_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- The two models that every API starts with, for those that are there.
INSERT INTO "api_parts" ("tenant_id", "api_id", "kind", "id", "document")
SELECT "rest_apis"."tenant_id", "rest_apis"."id", 'MODEL', "model"."name",
  json_build_object(
    'apiId', "rest_apis"."id",
    'id', "model"."name",
    'modelId', substr(md5("rest_apis"."id" || "model"."name"), 1, 6),
    'contentType', 'application/json',
    'description', "model"."description",
    'schema', "model"."schema"
  )
FROM "rest_apis" CROSS JOIN (VALUES
  ('Empty', 'This is a default empty schema model',
   E'{\n  "$schema": "http://json-schema.org/draft-04/schema#",\n  "title": "Empty Schema",\n  "type": "object"\n}'),
  ('Error', 'This is a default error schema model',
   E'{\n  "$schema": "http://json-schema.org/draft-04/schema#",\n  "title": "Error Schema",\n  "type": "object",\n  "properties": {\n    "message": {\n      "type": "string"\n    }\n  }\n}')
) AS "model" ("name", "description", "schema");
