-- AlterTable
ALTER TABLE "metric_samples" ADD COLUMN     "cache_hits" BIGINT NOT NULL DEFAULT 0,
ADD COLUMN     "cache_misses" BIGINT NOT NULL DEFAULT 0;
