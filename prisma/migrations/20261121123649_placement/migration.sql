-- AlterTable
ALTER TABLE "manifest_entries" ADD COLUMN     "former_pools" TEXT[] COLLATE "C" DEFAULT ARRAY[]::TEXT[],
ADD COLUMN     "pools" TEXT[] COLLATE "C" DEFAULT ARRAY[]::TEXT[];
