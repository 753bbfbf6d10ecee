-- CreateTable
CREATE TABLE "quota_pages" (
    "usage_plan_id" TEXT COLLATE "C" NOT NULL,
    "api_key_id" TEXT COLLATE "C" NOT NULL,
    "period_start" TEXT COLLATE "C" NOT NULL,
    "version" BIGINT NOT NULL,
    "lines" JSONB NOT NULL,
    "ends_at_ms" BIGINT NOT NULL,

    CONSTRAINT "quota_pages_pkey" PRIMARY KEY ("usage_plan_id","api_key_id","period_start")
);

-- CreateTable
CREATE TABLE "drained_epochs" (
    "node_id" TEXT COLLATE "C" NOT NULL,
    "epoch" BIGINT NOT NULL,

    CONSTRAINT "drained_epochs_pkey" PRIMARY KEY ("node_id")
);

-- CreateTable
CREATE TABLE "rate_shares" (
    "bucket" TEXT COLLATE "C" NOT NULL,
    "node_id" TEXT COLLATE "C" NOT NULL,
    "demand" DOUBLE PRECISION NOT NULL,
    "share" DOUBLE PRECISION NOT NULL,
    "at_ms" BIGINT NOT NULL,

    CONSTRAINT "rate_shares_pkey" PRIMARY KEY ("bucket","node_id")
);

-- CreateTable
CREATE TABLE "token_buckets" (
    "bucket" TEXT COLLATE "C" NOT NULL,
    "tokens" DOUBLE PRECISION NOT NULL,
    "at_ms" BIGINT NOT NULL,
    "full_at_ms" BIGINT NOT NULL,

    CONSTRAINT "token_buckets_pkey" PRIMARY KEY ("bucket")
);

-- CreateIndex
CREATE INDEX "quota_pages_ends_at_ms_idx" ON "quota_pages"("ends_at_ms");

-- CreateIndex
CREATE INDEX "rate_shares_at_ms_idx" ON "rate_shares"("at_ms");

-- CreateIndex
CREATE INDEX "token_buckets_full_at_ms_idx" ON "token_buckets"("full_at_ms");
