-- Pages of the user list, each found by an index whatever the filter.

-- Addresses are ASCII in one canonical form: compared byte by byte, the unique index also finds prefixes, and no update of the system's
-- collations can damage it. The table itself is not rewritten.
ALTER TABLE "users" ALTER COLUMN "email" TYPE text COLLATE "C";

-- Every combination of status and verified is a range of this, newest last; what matches either is two ranges, merged.
CREATE INDEX "users_list" ON "users" ("status", ("email_verified_at" IS NULL), "id");

-- Most users have no role, and cost nothing here.
CREATE INDEX "users_roles" ON "users" USING gin ("roles") WHERE "roles" <> '{}';
