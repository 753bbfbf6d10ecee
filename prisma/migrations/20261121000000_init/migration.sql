-- CreateSchema
CREATE SCHEMA IF NOT EXISTS "public";

-- CreateEnum
CREATE TYPE "metric_period" AS ENUM ('MINUTE', 'HOUR', 'DAY');

-- CreateTable
CREATE TABLE "deployments" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "api_id" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "position" TEXT COLLATE "C" NOT NULL,
    "document" JSON NOT NULL,
    "definition" BYTEA NOT NULL,

    CONSTRAINT "deployments_pkey" PRIMARY KEY ("tenant_id","api_id","id")
);

-- CreateTable
CREATE TABLE "stages" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "api_id" TEXT COLLATE "C" NOT NULL,
    "stage_name" TEXT COLLATE "C" NOT NULL,
    "document" JSON NOT NULL,

    CONSTRAINT "stages_pkey" PRIMARY KEY ("tenant_id","api_id","stage_name")
);

-- CreateTable
CREATE TABLE "rollouts" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "api_id" TEXT COLLATE "C" NOT NULL,
    "deployment_id" TEXT COLLATE "C" NOT NULL,
    "stage_name" TEXT COLLATE "C" NOT NULL,
    "revision" BIGINT NOT NULL,
    "published_at_ms" BIGINT NOT NULL,

    CONSTRAINT "rollouts_pkey" PRIMARY KEY ("tenant_id","api_id","deployment_id","stage_name")
);

-- CreateTable
CREATE TABLE "functions" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "code_digest" TEXT COLLATE "C" NOT NULL,
    "document" JSON NOT NULL,
    "sealed_environment" BYTEA NOT NULL,

    CONSTRAINT "functions_pkey" PRIMARY KEY ("tenant_id","name")
);

-- CreateTable
CREATE TABLE "function_versions" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "function_name" TEXT COLLATE "C" NOT NULL,
    "version" TEXT COLLATE "C" NOT NULL,
    "number" INTEGER NOT NULL,
    "code_digest" TEXT COLLATE "C" NOT NULL,
    "document" JSON NOT NULL,
    "sealed_environment" BYTEA NOT NULL,

    CONSTRAINT "function_versions_pkey" PRIMARY KEY ("tenant_id","function_name","version")
);

-- CreateTable
CREATE TABLE "function_aliases" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "function_name" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "document" JSON NOT NULL,

    CONSTRAINT "function_aliases_pkey" PRIMARY KEY ("tenant_id","function_name","name")
);

-- CreateTable
CREATE TABLE "function_statements" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "function_name" TEXT COLLATE "C" NOT NULL,
    "qualifier" TEXT COLLATE "C" NOT NULL,
    "statement_id" TEXT COLLATE "C" NOT NULL,
    "document" JSON NOT NULL,

    CONSTRAINT "function_statements_pkey" PRIMARY KEY ("tenant_id","function_name","qualifier","statement_id")
);

-- CreateTable
CREATE TABLE "usage_counts" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "usage_plan_id" TEXT COLLATE "C" NOT NULL,
    "api_key_id" TEXT COLLATE "C" NOT NULL,
    "day" TEXT COLLATE "C" NOT NULL,
    "count" BIGINT NOT NULL,

    CONSTRAINT "usage_counts_pkey" PRIMARY KEY ("tenant_id","usage_plan_id","api_key_id","day")
);

-- CreateTable
CREATE TABLE "quota_extensions" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "usage_plan_id" TEXT COLLATE "C" NOT NULL,
    "api_key_id" TEXT COLLATE "C" NOT NULL,
    "period_start" TEXT COLLATE "C" NOT NULL,
    "extra" BIGINT NOT NULL,

    CONSTRAINT "quota_extensions_pkey" PRIMARY KEY ("tenant_id","usage_plan_id","api_key_id","period_start")
);

-- CreateTable
CREATE TABLE "report_marks" (
    "node_id" TEXT COLLATE "C" NOT NULL,
    "epoch" BIGINT NOT NULL,
    "applied_through" BIGINT NOT NULL,

    CONSTRAINT "report_marks_pkey" PRIMARY KEY ("node_id","epoch")
);

-- CreateTable
CREATE TABLE "reports_beyond" (
    "node_id" TEXT COLLATE "C" NOT NULL,
    "epoch" BIGINT NOT NULL,
    "sequence" BIGINT NOT NULL,

    CONSTRAINT "reports_beyond_pkey" PRIMARY KEY ("node_id","epoch","sequence")
);

-- CreateTable
CREATE TABLE "metric_samples" (
    "period" "metric_period" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "api_id" TEXT COLLATE "C" NOT NULL,
    "start_seconds" BIGINT NOT NULL,
    "place" BYTEA NOT NULL,
    "stage" TEXT COLLATE "C" NOT NULL,
    "resource" TEXT COLLATE "C" NOT NULL,
    "http_method" TEXT COLLATE "C" NOT NULL,
    "count" BIGINT NOT NULL,
    "errors_4xx" BIGINT NOT NULL,
    "errors_5xx" BIGINT NOT NULL,
    "latency_buckets" JSONB NOT NULL,
    "latency_count" BIGINT NOT NULL,
    "latency_sum_ms" DOUBLE PRECISION NOT NULL,
    "latency_max_ms" DOUBLE PRECISION NOT NULL,
    "integration_latency_buckets" JSONB NOT NULL,
    "integration_latency_count" BIGINT NOT NULL,
    "integration_latency_sum_ms" DOUBLE PRECISION NOT NULL,
    "integration_latency_max_ms" DOUBLE PRECISION NOT NULL,
    "stale" BOOLEAN NOT NULL,

    CONSTRAINT "metric_samples_pkey" PRIMARY KEY ("period","tenant_id","api_id","start_seconds","place")
);

-- CreateTable
CREATE TABLE "metric_retention" (
    "id" INTEGER NOT NULL,
    "minutes_from_seconds" BIGINT NOT NULL,

    CONSTRAINT "metric_retention_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "blobs" (
    "digest" TEXT COLLATE "C" NOT NULL,
    "bytes" BYTEA NOT NULL,
    "put_at_ms" BIGINT NOT NULL,

    CONSTRAINT "blobs_pkey" PRIMARY KEY ("digest")
);

-- CreateTable
CREATE TABLE "manifest_entries" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "kind" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "revision" BIGINT NOT NULL,
    "removed" BOOLEAN NOT NULL,
    "digest" TEXT COLLATE "C",
    "blob_bytes" BIGINT NOT NULL,
    "inline" TEXT COLLATE "C" NOT NULL,
    "changed_at_ms" BIGINT NOT NULL,

    CONSTRAINT "manifest_entries_pkey" PRIMARY KEY ("tenant_id","kind","id")
);

-- CreateTable
CREATE TABLE "manifest_counter" (
    "id" INTEGER NOT NULL,
    "revision" BIGINT NOT NULL,
    "forgotten_revision" BIGINT NOT NULL,

    CONSTRAINT "manifest_counter_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "nodes" (
    "node_id" TEXT COLLATE "C" NOT NULL,
    "role" TEXT COLLATE "C" NOT NULL,
    "epoch" BIGINT NOT NULL,
    "software_version" TEXT COLLATE "C" NOT NULL,
    "labels" JSON NOT NULL,
    "admin_url" TEXT COLLATE "C",
    "connected" BOOLEAN NOT NULL,
    "last_seen_at_ms" BIGINT NOT NULL,
    "acked_revision" BIGINT NOT NULL,
    "acked_at_ms" BIGINT,

    CONSTRAINT "nodes_pkey" PRIMARY KEY ("node_id")
);

-- CreateTable
CREATE TABLE "node_refusals" (
    "node_id" TEXT COLLATE "C" NOT NULL,
    "kind" TEXT COLLATE "C" NOT NULL,
    "entry_id" TEXT COLLATE "C" NOT NULL,
    "revision" BIGINT NOT NULL,
    "reason" TEXT COLLATE "C" NOT NULL,
    "at_ms" BIGINT NOT NULL,

    CONSTRAINT "node_refusals_pkey" PRIMARY KEY ("node_id","kind","entry_id")
);

-- CreateTable
CREATE TABLE "rest_apis" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "position" TEXT COLLATE "C" NOT NULL,
    "document" JSON NOT NULL,

    CONSTRAINT "rest_apis_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "resources" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "api_id" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "parent_id" TEXT COLLATE "C",
    "path" TEXT COLLATE "C" NOT NULL,
    "document" JSON NOT NULL,

    CONSTRAINT "resources_pkey" PRIMARY KEY ("tenant_id","api_id","id")
);

-- CreateTable
CREATE TABLE "methods" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "api_id" TEXT COLLATE "C" NOT NULL,
    "resource_id" TEXT COLLATE "C" NOT NULL,
    "http_method" TEXT COLLATE "C" NOT NULL,
    "document" JSON NOT NULL,

    CONSTRAINT "methods_pkey" PRIMARY KEY ("tenant_id","api_id","resource_id","http_method")
);

-- CreateTable
CREATE TABLE "tenants" (
    "id" TEXT COLLATE "C" NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "created_at_ms" BIGINT NOT NULL,

    CONSTRAINT "tenants_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "credentials" (
    "access_key_id" TEXT COLLATE "C" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "sealed_secret" BYTEA NOT NULL,
    "principal_arn" TEXT COLLATE "C" NOT NULL,
    "enabled" BOOLEAN NOT NULL,

    CONSTRAINT "credentials_pkey" PRIMARY KEY ("access_key_id")
);

-- CreateTable
CREATE TABLE "account_settings" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "document" JSON NOT NULL,

    CONSTRAINT "account_settings_pkey" PRIMARY KEY ("tenant_id")
);

-- CreateTable
CREATE TABLE "api_keys" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "position" TEXT COLLATE "C" NOT NULL,
    "value_digest" BYTEA NOT NULL,
    "sealed_value" BYTEA NOT NULL,
    "name" TEXT COLLATE "C" NOT NULL,
    "customer_id" TEXT COLLATE "C" NOT NULL,
    "document" JSON NOT NULL,

    CONSTRAINT "api_keys_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "usage_plans" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "id" TEXT COLLATE "C" NOT NULL,
    "position" TEXT COLLATE "C" NOT NULL,
    "api_ids" TEXT[] COLLATE "C",
    "stage_keys" TEXT[] COLLATE "C",
    "document" JSON NOT NULL,

    CONSTRAINT "usage_plans_pkey" PRIMARY KEY ("tenant_id","id")
);

-- CreateTable
CREATE TABLE "usage_plan_keys" (
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "usage_plan_id" TEXT COLLATE "C" NOT NULL,
    "api_key_id" TEXT COLLATE "C" NOT NULL,
    "position" TEXT COLLATE "C" NOT NULL,
    "document" JSON NOT NULL,

    CONSTRAINT "usage_plan_keys_pkey" PRIMARY KEY ("tenant_id","usage_plan_id","api_key_id")
);

-- CreateIndex
CREATE INDEX "deployments_tenant_id_api_id_position_idx" ON "deployments"("tenant_id", "api_id", "position");

-- CreateIndex
CREATE INDEX "rollouts_tenant_id_deployment_id_idx" ON "rollouts"("tenant_id", "deployment_id");

-- CreateIndex
CREATE INDEX "functions_code_digest_idx" ON "functions"("code_digest");

-- CreateIndex
CREATE INDEX "function_versions_code_digest_idx" ON "function_versions"("code_digest");

-- CreateIndex
CREATE INDEX "metric_samples_period_start_seconds_idx" ON "metric_samples"("period", "start_seconds");

-- CreateIndex
CREATE UNIQUE INDEX "manifest_entries_revision_key" ON "manifest_entries"("revision");

-- CreateIndex
CREATE INDEX "manifest_entries_kind_id_idx" ON "manifest_entries"("kind", "id");

-- CreateIndex
CREATE INDEX "manifest_entries_digest_idx" ON "manifest_entries"("digest");

-- CreateIndex
CREATE UNIQUE INDEX "rest_apis_id_key" ON "rest_apis"("id");

-- CreateIndex
CREATE INDEX "rest_apis_tenant_id_position_idx" ON "rest_apis"("tenant_id", "position");

-- CreateIndex
CREATE INDEX "credentials_tenant_id_idx" ON "credentials"("tenant_id");

-- CreateIndex
CREATE INDEX "api_keys_tenant_id_position_idx" ON "api_keys"("tenant_id", "position");

-- CreateIndex
CREATE UNIQUE INDEX "api_keys_tenant_id_value_digest_key" ON "api_keys"("tenant_id", "value_digest");

-- CreateIndex
CREATE UNIQUE INDEX "usage_plans_id_key" ON "usage_plans"("id");

-- CreateIndex
CREATE INDEX "usage_plans_tenant_id_position_idx" ON "usage_plans"("tenant_id", "position");

-- CreateIndex
CREATE INDEX "usage_plan_keys_tenant_id_usage_plan_id_position_idx" ON "usage_plan_keys"("tenant_id", "usage_plan_id", "position");

-- CreateIndex
CREATE INDEX "usage_plan_keys_tenant_id_api_key_id_idx" ON "usage_plan_keys"("tenant_id", "api_key_id");

-- AddForeignKey
ALTER TABLE "deployments" ADD CONSTRAINT "deployments_tenant_id_api_id_fkey" FOREIGN KEY ("tenant_id", "api_id") REFERENCES "rest_apis"("tenant_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "stages" ADD CONSTRAINT "stages_tenant_id_api_id_fkey" FOREIGN KEY ("tenant_id", "api_id") REFERENCES "rest_apis"("tenant_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "rollouts" ADD CONSTRAINT "rollouts_tenant_id_api_id_fkey" FOREIGN KEY ("tenant_id", "api_id") REFERENCES "rest_apis"("tenant_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "function_versions" ADD CONSTRAINT "function_versions_tenant_id_function_name_fkey" FOREIGN KEY ("tenant_id", "function_name") REFERENCES "functions"("tenant_id", "name") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "function_aliases" ADD CONSTRAINT "function_aliases_tenant_id_function_name_fkey" FOREIGN KEY ("tenant_id", "function_name") REFERENCES "functions"("tenant_id", "name") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "function_statements" ADD CONSTRAINT "function_statements_tenant_id_function_name_fkey" FOREIGN KEY ("tenant_id", "function_name") REFERENCES "functions"("tenant_id", "name") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "node_refusals" ADD CONSTRAINT "node_refusals_node_id_fkey" FOREIGN KEY ("node_id") REFERENCES "nodes"("node_id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "resources" ADD CONSTRAINT "resources_tenant_id_api_id_fkey" FOREIGN KEY ("tenant_id", "api_id") REFERENCES "rest_apis"("tenant_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "methods" ADD CONSTRAINT "methods_tenant_id_api_id_resource_id_fkey" FOREIGN KEY ("tenant_id", "api_id", "resource_id") REFERENCES "resources"("tenant_id", "api_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "credentials" ADD CONSTRAINT "credentials_tenant_id_fkey" FOREIGN KEY ("tenant_id") REFERENCES "tenants"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "usage_plan_keys" ADD CONSTRAINT "usage_plan_keys_tenant_id_usage_plan_id_fkey" FOREIGN KEY ("tenant_id", "usage_plan_id") REFERENCES "usage_plans"("tenant_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "usage_plan_keys" ADD CONSTRAINT "usage_plan_keys_tenant_id_api_key_id_fkey" FOREIGN KEY ("tenant_id", "api_key_id") REFERENCES "api_keys"("tenant_id", "id") ON DELETE CASCADE ON UPDATE CASCADE;

-- From here on by hand: what a Prisma schema cannot say.

-- The one row of each.
INSERT INTO "manifest_counter" ("id", "revision", "forgotten_revision") VALUES (1, 0, 0);
ALTER TABLE "manifest_counter" ADD CONSTRAINT "manifest_counter_one_row" CHECK ("id" = 1);
INSERT INTO "metric_retention" ("id", "minutes_from_seconds") VALUES (1, 0);
ALTER TABLE "metric_retention" ADD CONSTRAINT "metric_retention_one_row" CHECK ("id" = 1);

-- Adds two sparse histograms: {"3": 1} and {"3": 2, "7": 1} give {"3": 3, "7": 1}.
CREATE FUNCTION merge_buckets(a JSONB, b JSONB) RETURNS JSONB LANGUAGE SQL IMMUTABLE PARALLEL SAFE AS $$
  SELECT coalesce(jsonb_object_agg(bucket, total), '{}')
  FROM (
    SELECT bucket, sum(count::bigint) AS total
    FROM (SELECT * FROM jsonb_each_text(a) UNION ALL SELECT * FROM jsonb_each_text(b)) AS both_sides(bucket, count)
    GROUP BY bucket
  ) AS sums
$$;
CREATE AGGREGATE sum_buckets(JSONB) (SFUNC = merge_buckets, STYPE = JSONB, INITCOND = '{}');
