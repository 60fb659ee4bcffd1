-- How many generations before "gen" were spent in the same burst: tabs of one browser share a cookie, and refresh one shortly after the other.
ALTER TABLE "refresh_spent" ADD COLUMN "burst" smallint NOT NULL DEFAULT 0;
