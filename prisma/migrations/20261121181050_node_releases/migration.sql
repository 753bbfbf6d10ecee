-- AlterTable
ALTER TABLE "manifest_entries" ADD COLUMN     "snapshot_format" INTEGER;

-- AlterTable
ALTER TABLE "nodes" ADD COLUMN     "protocol" INTEGER NOT NULL DEFAULT 0,
ADD COLUMN     "snapshot_formats" INTEGER[] DEFAULT ARRAY[]::INTEGER[],
ADD COLUMN     "turned_away" TEXT COLLATE "C";
