-- CreateTable
CREATE TABLE "sessions" (
    "access_key_id" TEXT COLLATE "C" NOT NULL,
    "tenant_id" TEXT COLLATE "C" NOT NULL,
    "sealed_secret" BYTEA NOT NULL,
    "token_digest" TEXT COLLATE "C" NOT NULL,
    "expires_at_ms" BIGINT NOT NULL,
    "made_by" TEXT COLLATE "C" NOT NULL,

    CONSTRAINT "sessions_pkey" PRIMARY KEY ("access_key_id")
);

-- CreateIndex
CREATE INDEX "sessions_tenant_id_idx" ON "sessions"("tenant_id");

-- CreateIndex
CREATE INDEX "sessions_made_by_idx" ON "sessions"("made_by");

-- CreateIndex
CREATE INDEX "sessions_expires_at_ms_idx" ON "sessions"("expires_at_ms");

-- AddForeignKey
ALTER TABLE "sessions" ADD CONSTRAINT "sessions_made_by_fkey" FOREIGN KEY ("made_by") REFERENCES "credentials"("access_key_id") ON DELETE CASCADE ON UPDATE CASCADE;
