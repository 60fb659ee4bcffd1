-- The life of an account: what happened to it, wrong guesses against it, answers that may be asked for again, shared rate limits.

-- Append-only. A sign-in's row is where its owner finds it again ("your devices"); nothing else is ever authorised by this table.
CREATE TABLE "audit_event" (
  "id"             uuid        NOT NULL,
  "at"             timestamptz NOT NULL DEFAULT now(),
  "type"           text        NOT NULL,
  "outcome"        text        NOT NULL,
  "actor"          text        NOT NULL,
  "user_id"        uuid,
  "sid"            uuid,
  "address_prefix" text,
  "user_agent"     text,
  "data"           jsonb       NOT NULL DEFAULT '{}',
  CONSTRAINT "audit_event_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "audit_event_outcome" CHECK ("outcome" IN ('success', 'failure'))
);
CREATE INDEX "audit_event_user" ON "audit_event" ("user_id", "id");

-- NIST SP 800-63B-4 §3.2.2: at most 100 consecutive failures, 90 by browsers nobody knows and 10 by known ones.
ALTER TABLE "credential"
  ADD COLUMN "fail_unknown" smallint NOT NULL DEFAULT 0,
  ADD COLUMN "fail_known"   smallint NOT NULL DEFAULT 0;

-- What its owner writes about themselves: in no token, and judged by nobody.
ALTER TABLE "users" ADD COLUMN "profile" jsonb NOT NULL DEFAULT '{}';
-- Accounts whose address nobody confirmed: few, and looked for every day.
CREATE INDEX "users_unverified" ON "users" ("created_at") WHERE "email_verified_at" IS NULL;

-- Written in the transaction of the effect, or not at all.
CREATE TABLE "idempotency" (
  "scope"      bytea       NOT NULL,
  "key"        bytea       NOT NULL,
  "fp"         bytea       NOT NULL,
  "status"     smallint    NOT NULL,
  "body"       jsonb,
  "expires_at" timestamptz NOT NULL,
  CONSTRAINT "idempotency_pkey" PRIMARY KEY ("scope", "key")
);
CREATE INDEX "idempotency_exp" ON "idempotency" ("expires_at");

-- The library inserts by position, and reads whole milliseconds of its node's clock. Empty after a crash: limits fail open for a moment.
CREATE UNLOGGED TABLE "rate_limit" (
  "key"    varchar(255) NOT NULL,
  "points" integer      NOT NULL DEFAULT 0,
  "expire" bigint,
  CONSTRAINT "rate_limit_pkey" PRIMARY KEY ("key")
);
CREATE INDEX "rate_limit_exp" ON "rate_limit" ("expire");
