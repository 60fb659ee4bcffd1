-- Services that authenticate to this one: with a secret, of which only the digest is here, or with keys of their own.
CREATE TABLE "client" (
  "id"            uuid        NOT NULL,
  "name"          text        NOT NULL,
  "secret_digest" bytea,
  "jwks"          jsonb,
  "scopes"        text[]      NOT NULL DEFAULT ARRAY[]::text[],
  "created_at"    timestamptz NOT NULL DEFAULT now(),
  "disabled_at"   timestamptz,
  CONSTRAINT "client_pkey" PRIMARY KEY ("id"),
  CONSTRAINT "client_has_one_proof" CHECK (("secret_digest" IS NULL) <> ("jwks" IS NULL))
);
