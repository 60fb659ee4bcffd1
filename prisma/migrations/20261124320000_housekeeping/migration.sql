-- What may go before the longest session is over: without it a purge would walk past the sign-ins that must stay, again and again.
CREATE INDEX "audit_event_brief" ON "audit_event" ("id") WHERE "type" <> 'session.started';
