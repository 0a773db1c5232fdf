-- What a store says about an entry beyond the certificate itself (who keeps its key, limits, trust), as JSON; NULL where it
-- says nothing, which is most entries of most stores.
ALTER TABLE set_entry ADD COLUMN properties TEXT;
