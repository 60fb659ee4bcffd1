-- For FEED_CURSOR=time, where transaction ids cannot be had; with FEED_CURSOR=xid nobody reads it.
-- Entries of before get this moment: they are read once more, which changes nothing.
ALTER TABLE "revocation" ADD COLUMN "created_at" timestamptz NOT NULL DEFAULT now();
CREATE INDEX "revocation_created" ON "revocation" ("created_at");
