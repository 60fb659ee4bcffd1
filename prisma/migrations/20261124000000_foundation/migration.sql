-- Portable on purpose: no sequences, no foreign keys on hot tables, no triggers (docs/state.md).

CREATE TABLE "installation" (
  "id"                       uuid        NOT NULL DEFAULT gen_random_uuid(),
  "created_at"               timestamptz NOT NULL DEFAULT now(),
  "key_slot_seconds"         integer,
  "max_access_token_seconds" integer     NOT NULL DEFAULT 0,
  "max_session_seconds"      integer     NOT NULL DEFAULT 0,
  CONSTRAINT "installation_pkey" PRIMARY KEY ("id")
);
INSERT INTO "installation" DEFAULT VALUES;

CREATE TABLE "users" (
  "id"                uuid        NOT NULL,
  "email"             text        NOT NULL,
  "email_verified_at" timestamptz,
  "name"              text,
  "status"            smallint    NOT NULL DEFAULT 1,
  "epoch"             integer     NOT NULL DEFAULT 1,
  "roles"             text[]      NOT NULL DEFAULT ARRAY[]::text[],
  "claims"            jsonb       NOT NULL DEFAULT '{}',
  "locale"            text,
  "created_at"        timestamptz NOT NULL DEFAULT now(),
  "updated_at"        timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT "users_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "users_status_known" CHECK ("status" IN (1, 2))
);
CREATE UNIQUE INDEX "users_email_key" ON "users" ("email");

CREATE TABLE "credential" (
  "user_id"       uuid        NOT NULL,
  "password_hash" text        NOT NULL,
  "changed_at"    timestamptz NOT NULL DEFAULT now(),
  CONSTRAINT "credential_pkey" PRIMARY KEY ("user_id")
);

-- fillfactor leaves room on the page: every refresh after the first is a HOT update, no index is touched.
CREATE TABLE "refresh_spent" (
  "sid"      uuid        NOT NULL,
  "gen"      integer     NOT NULL,
  "spent_at" timestamptz NOT NULL,
  "late"     smallint    NOT NULL DEFAULT 0,
  CONSTRAINT "refresh_spent_pkey" PRIMARY KEY ("sid")
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);

-- xid is the cursor of the feed: a sequence would lose rows that commit late.
CREATE TABLE "revocation" (
  "xid"        xid8        NOT NULL DEFAULT pg_current_xact_id(),
  "kind"       "char"      NOT NULL,
  "id"         bytea       NOT NULL,
  "val"        integer     NOT NULL DEFAULT 0,
  "expires_at" timestamptz NOT NULL,
  CONSTRAINT "revocation_pkey" PRIMARY KEY ("xid", "kind", "id")
);
CREATE INDEX "revocation_exp" ON "revocation" ("expires_at");

CREATE TABLE "signing_key" (
  "use"            text        NOT NULL,
  "slot"           bigint      NOT NULL,
  "rev"            smallint    NOT NULL DEFAULT 0,
  "kid"            text        NOT NULL,
  "alg"            text        NOT NULL,
  "public_jwk"     jsonb,
  "private_enc"    bytea       NOT NULL,
  "kek_id"         text        NOT NULL,
  "created_at"     timestamptz NOT NULL DEFAULT now(),
  "compromised_at" timestamptz,
  CONSTRAINT "signing_key_pkey" PRIMARY KEY ("use", "slot", "rev"),
  CONSTRAINT "signing_key_use_known" CHECK ("use" IN ('at', 'rt', 'ft'))
);
CREATE UNIQUE INDEX "signing_key_kid_key" ON "signing_key" ("kid");
