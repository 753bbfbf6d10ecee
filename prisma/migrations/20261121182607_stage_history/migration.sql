-- CreateTable
CREATE TABLE "stage_history" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "api_id" TEXT COLLATE "C" NOT NULL,
    "stage_name" TEXT COLLATE "C" NOT NULL,
    "number" INTEGER NOT NULL,
    "deployment_id" TEXT COLLATE "C" NOT NULL,
    "cause" TEXT COLLATE "C" NOT NULL,
    "since_ms" BIGINT NOT NULL,

    CONSTRAINT "stage_history_pkey" PRIMARY KEY ("tenant_id","api_id","stage_name","number")
);

-- AddForeignKey
ALTER TABLE "stage_history" ADD CONSTRAINT "stage_history_tenant_id_api_id_stage_name_fkey" FOREIGN KEY ("tenant_id", "api_id", "stage_name") REFERENCES "stages"("tenant_id", "api_id", "stage_name") ON DELETE CASCADE ON UPDATE CASCADE;

-- Of stages that are there already only the present deployment is known: since it was last published, else since the stage last changed.
INSERT INTO "stage_history" ("tenant_id", "api_id", "stage_name", "number", "deployment_id", "cause", "since_ms")
SELECT stage."tenant_id", stage."api_id", stage."stage_name", 1, stage."document"->>'deploymentId', 'UNKNOWN',
  COALESCE(rollout."published_at_ms", (stage."document"->>'lastUpdatedAtMs')::BIGINT)
FROM "stages" AS stage
LEFT JOIN "rollouts" AS rollout
  ON rollout."tenant_id" = stage."tenant_id" AND rollout."api_id" = stage."api_id"
  AND rollout."stage_name" = stage."stage_name" AND rollout."deployment_id" = stage."document"->>'deploymentId';
