-- A fleet in the middle of getting its first seal, as dnsrenew 0.1.0 left it: one account is sealed with 32 times "s",
-- and another account with two keys, a version, a pending order and a setting are not. pg_dump --inserts.
CREATE TABLE public.dnsrenew_account (
    directory text NOT NULL,
    key bytea,
    next_key bytea,
    data jsonb
);
CREATE TABLE public.dnsrenew_holder (
    id bigint NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    worker boolean NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    tables text[]
);
COMMENT ON TABLE public.dnsrenew_holder IS 'Processes; those in dnsrenew_alive still run.';
COMMENT ON COLUMN public.dnsrenew_holder.tables IS 'The accounts and CAs that the file of a worker has.';
CREATE VIEW public.dnsrenew_alive AS
 SELECT holder.id
   FROM (public.dnsrenew_holder holder
     JOIN pg_locks lock ON (((lock.classid = (((hashtextextended(('dnsrenew:holder-'::text || holder.id), (0)::bigint) >> 32) & '4294967295'::bigint))::oid) AND (lock.objid = ((hashtextextended(('dnsrenew:holder-'::text || holder.id), (0)::bigint) & '4294967295'::bigint))::oid))))
  WHERE ((lock.locktype = 'advisory'::text) AND (lock.objsubid = 1) AND lock.granted AND (lock.database = ( SELECT pg_database.oid
           FROM pg_database
          WHERE (pg_database.datname = current_database()))));
COMMENT ON VIEW public.dnsrenew_alive IS 'The processes whose connection holds their advisory lock.';
CREATE SEQUENCE public.dnsrenew_change
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
CREATE SEQUENCE public.dnsrenew_slot
    START WITH 0
    INCREMENT BY 1
    MINVALUE 0
    NO MAXVALUE
    CACHE 1;
CREATE TABLE public.dnsrenew_certificate (
    name text NOT NULL,
    wanted jsonb,
    tags text[] DEFAULT '{}'::text[] NOT NULL,
    origin text,
    identifiers text[] DEFAULT '{}'::text[] NOT NULL,
    parents text[] DEFAULT '{}'::text[] NOT NULL,
    slot double precision DEFAULT ((((nextval('public.dnsrenew_slot'::regclass))::numeric * 0.61803398874989484820) % (1)::numeric))::double precision NOT NULL,
    due timestamp with time zone DEFAULT now() NOT NULL,
    state jsonb,
    version integer,
    expires timestamp with time zone,
    changed bigint DEFAULT nextval('public.dnsrenew_change'::regclass) NOT NULL
);
COMMENT ON COLUMN public.dnsrenew_certificate.parents IS 'The wildcards that cover an identifier.';
CREATE TABLE public.dnsrenew_document (
    name text NOT NULL,
    kind text NOT NULL,
    content bytea NOT NULL,
    made timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE public.dnsrenew_holder ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.dnsrenew_holder_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.dnsrenew_issued (
    ca text NOT NULL,
    issued timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE public.dnsrenew_issued IS 'A row for each certificate that a CA issued in the last day, removed ones too.';
CREATE TABLE public.dnsrenew_journal (
    id bigint NOT NULL,
    certificate text,
    page jsonb NOT NULL,
    asked boolean DEFAULT false NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL,
    holder bigint
);
CREATE SEQUENCE public.dnsrenew_journal_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.dnsrenew_journal_id_seq OWNED BY public.dnsrenew_journal.id;
CREATE TABLE public.dnsrenew_limit (
    directory text NOT NULL,
    key text NOT NULL,
    kind text NOT NULL,
    until timestamp with time zone NOT NULL,
    since timestamp with time zone,
    url text
);
COMMENT ON TABLE public.dnsrenew_limit IS 'The ledgers: what a CA counts for a name or a set of names, and its waits.';
CREATE TABLE public.dnsrenew_lock (
    key text NOT NULL,
    fence bigint NOT NULL,
    holder bigint NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE public.dnsrenew_lock IS 'Who held a lock last; it is held as long as its advisory lock is.';
CREATE TABLE public.dnsrenew_pace (
    key text NOT NULL,
    empty_until timestamp with time zone NOT NULL
);
CREATE TABLE public.dnsrenew_schema (
    version integer NOT NULL
);
CREATE TABLE public.dnsrenew_seal (
    id bytea NOT NULL,
    proof bytea NOT NULL,
    since timestamp with time zone DEFAULT now() NOT NULL
);
COMMENT ON TABLE public.dnsrenew_seal IS 'Seals with which values may be sealed; an empty id: some may be unsealed.';
CREATE TABLE public.dnsrenew_setting (
    name text NOT NULL,
    value bytea NOT NULL
);
CREATE TABLE public.dnsrenew_version (
    name text NOT NULL,
    number integer NOT NULL,
    chain text NOT NULL,
    key bytea NOT NULL,
    meta jsonb NOT NULL,
    ca text,
    issued timestamp with time zone DEFAULT now() NOT NULL
);
ALTER TABLE ONLY public.dnsrenew_journal ALTER COLUMN id SET DEFAULT nextval('public.dnsrenew_journal_id_seq'::regclass);
INSERT INTO public.dnsrenew_account VALUES ('https://one.example/directory', '\x002d2d2d2d2d424547494e2050524956415445204b45592d2d2d2d2d0a4d494748416745414d424d4742797147534d34394167454743437147534d34394177454842473077617749424151516757757265437056334e3976506f4443650a72775843736364314a774d695052756b32772f66486856595841476852414e4341415432554535713064724931572f6e43484b35702b704a2b6f32617a3538310a6633356d6f6e426739325079635a6c4f4b66596c5230737375436e30707a6f4463692b53684c6b43744e6d4874677457744d2b452b45787a0a2d2d2d2d2d454e442050524956415445204b45592d2d2d2d2d0a', '\x002d2d2d2d2d424547494e2050524956415445204b45592d2d2d2d2d0a4d494748416745414d424d4742797147534d34394167454743437147534d34394177454842473077617749424151516750367342425a493664564634724d344f0a3047624e43676d2b724f377563353349415273786a4f58775550696852414e434141524e702b75586670366f413671614c74566f5a5163762f7a4d50433841640a47534b63495162654e2b4c2f3847525a7531354d6172744f797749522f71626b575170557453386d487170366259484e37675456434750460a2d2d2d2d2d454e442050524956415445204b45592d2d2d2d2d0a', '{"url": null, "schema": 1, "contact": [], "directory": "https://one.example/directory"}');
INSERT INTO public.dnsrenew_account VALUES ('https://two.example/directory', '\x018fd6a6a761dc4eaefa7d3d6f7a75312dfafcfec3d054c5dc8d6335fd5e67ce782e5d89faf1ed8faa8764932241c37c7ac231f06f734f5d24e2097edc7fb8b1ae8866fcc5ab2671934adeb46ee0b0a8268dba6edd3f7c52e7390b237a81a93b02aedd732de657065517b2d69bc30cb347dd56130808449d748511c996ac4395adc3981df6423b15b4522fe83be61c84076834b3761cc7eab5410f63633ac90a3740d6199c85e9b5046c126feda54ab507cc4e1033a842dea655855fd3ff11d62da1b1a883ac6f5626c83dda948e95a152b5b1b28190e34ed2d173add49cf99a3f87613f5f1a9328f6f5022fcb56792adaf1919b4a8c6630aad827bdad7f695177958d3dd977f4f4da182df542e01fa38766', NULL, '{"url": null, "schema": 1, "contact": [], "directory": "https://two.example/directory"}');
INSERT INTO public.dnsrenew_certificate VALUES ('home', NULL, '{}', NULL, '{}', '{}', 0, '2026-12-01 01:03:28.530407+00', '{"ca": "le", "key": "ecdsa-p256", "sizes": {"privkey.pem": 241, "fullchain.pem": 962}, "issuer": "Lab CA 1", "schema": 1, "serial": "1", "domains": ["münchen.test"], "version": 1, "failures": 0, "not_after": "2027-02-24T10:00:00Z", "switching": null, "not_before": "2026-11-26T10:00:00Z", "identifiers": ["xn--mnchen-3ya.test"], "last_failure": null, "next_attempt": null}', 1, '2027-02-24 10:00:00+00', 1);
INSERT INTO public.dnsrenew_document VALUES ('home', 'order', '\x007b0a2022736368656d61223a20312c0a202275726c223a202268747470733a2f2f63612e746573742f6f726465722f31222c0a20226361223a20226c6162222c0a20226163636f756e74223a202268747470733a2f2f63612e746573742f616363742f31222c0a20226964656e74696669657273223a205b0a202022686f6d652e74657374222c0a2020222a2e686f6d652e74657374220a205d2c0a202270726f66696c65223a202273686f72746c69766564222c0a2022726f75746573223a207b0a202022686f6d652e74657374223a207b0a202020226368616c6c656e6765223a2022687474702d3031222c0a20202022646e73223a205b5d2c0a202020226c697374656e223a206e756c6c2c0a20202022776562726f6f74223a20222f7372762f777777222c0a20202022617070223a2066616c73652c0a20202022616c696173223a206e756c6c2c0a20202022666f6c6c6f775f636e616d65223a20747275650a20207d2c0a2020222a2e686f6d652e74657374223a207b0a202020226368616c6c656e6765223a2022646e732d3031222c0a20202022646e73223a205b0a202020202261222c0a202020202262220a2020205d2c0a202020226c697374656e223a206e756c6c2c0a20202022776562726f6f74223a206e756c6c2c0a20202022617070223a2066616c73652c0a20202022616c696173223a2022782e6f746865722e74657374222c0a20202022666f6c6c6f775f636e616d65223a2066616c73650a20207d0a207d2c0a202276657273696f6e223a20332c0a20227772697474656e223a2022323032362d31312d32355432303a33303a30305a222c0a2022736861323536223a207b0a2020226b65792e70656d223a202238323937653836383266363062373162343732646133313562636261316262623235613861643338633834643836613564353065623466633862353263363365222c0a2020226373722e646572223a202237306637353261636336613935303636626163623664643536626132326534383132616365366265373936656362643232613966623666323434303639343465220a207d2c0a20227061727473223a207b0a2020226b65792e70656d223a20222d2d2d2d2d424547494e2050524956415445204b45592d2d2d2d2d5c6e6332566a636d56305c6e2d2d2d2d2d454e442050524956415445204b45592d2d2d2d2d5c6e222c0a2020226373722e646572223a20224d4949412f773d3d220a207d0a7d0a', '2026-12-01 01:03:28.532569+00');
INSERT INTO public.dnsrenew_issued VALUES ('le', '2026-12-01 01:03:28.530407+00');
INSERT INTO public.dnsrenew_schema VALUES (1);
INSERT INTO public.dnsrenew_seal VALUES ('\x', '\x', '2026-12-01 01:03:28.479089+00');
INSERT INTO public.dnsrenew_seal VALUES ('\x8fd6a6a7', '\x018fd6a6a7a69f5be6650580f7b49044d6936d345c3eba527851aa1a7109527f19054f5eeeab480979', '2026-12-01 01:03:28.584194+00');
INSERT INTO public.dnsrenew_setting VALUES ('fingerprint-key', '\x001c0f58690525b114817113e38e058bad9fe88129651f77366c25090069114989');
INSERT INTO public.dnsrenew_version VALUES ('home', 1, '-----BEGIN CERTIFICATE-----
MIIBNTCB3aADAgECAgEBMAoGCCqGSM49BAMCMBMxETAPBgNVBAMMCExhYiBDQSAx
MB4XDTI2MTEyNjEwMDAwMFoXDTI3MDIyNDEwMDAwMFowEzERMA8GA1UEAwwITGFi
IENBIDEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQgD6qjB1flSu7/v2Wn6i/c
uYUOxBwZWbf8+sKCPr0bq1G7couRAn5aX3z38fZrPVZ2eCRiOD3PZQMZmZqwwirk
oyIwIDAeBgNVHREEFzAVghN4bi0tbW5jaGVuLTN5YS50ZXN0MAoGCCqGSM49BAMC
A0cAMEQCIFot1Ch/jGXro5DPpfenEB2McZS2wJjtAsxmVMsHDPYaAiAJ/pp05MWY
w50ojMXl9wlNOtD+6KRYoPa3CNWn7/8QRg==
-----END CERTIFICATE-----
-----BEGIN CERTIFICATE-----
MIIBNTCB3aADAgECAgEBMAoGCCqGSM49BAMCMBMxETAPBgNVBAMMCExhYiBDQSAx
MB4XDTI2MTEyNjEwMDAwMFoXDTI3MDIyNDEwMDAwMFowEzERMA8GA1UEAwwITGFi
IENBIDEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQgD6qjB1flSu7/v2Wn6i/c
uYUOxBwZWbf8+sKCPr0bq1G7couRAn5aX3z38fZrPVZ2eCRiOD3PZQMZmZqwwirk
oyIwIDAeBgNVHREEFzAVghN4bi0tbW5jaGVuLTN5YS50ZXN0MAoGCCqGSM49BAMC
A0cAMEQCIFot1Ch/jGXro5DPpfenEB2McZS2wJjtAsxmVMsHDPYaAiAJ/pp05MWY
w50ojMXl9wlNOtD+6KRYoPa3CNWn7/8QRg==
-----END CERTIFICATE-----
', '\x002d2d2d2d2d424547494e2050524956415445204b45592d2d2d2d2d0a4d494748416745414d424d4742797147534d34394167454743437147534d34394177454842473077617749424151516768664d2f624e363152796943392b444e0a47424e4579567833476a3733537039426755787452634f735a78476852414e43414151674436716a4231666c5375372f7632576e36692f637559554f7842775a0a576266382b734b435072306271314737636f7552416e356158337a3338665a7250565a32654352694f4433505a514d5a6d5a71777769726b0a2d2d2d2d2d454e442050524956415445204b45592d2d2d2d2d0a', '{"ca": "le", "key": "ecdsa-p256", "sizes": {"privkey.pem": 241, "fullchain.pem": 962}, "issuer": "Lab CA 1", "schema": 1, "serial": "1", "domains": ["münchen.test"], "not_after": "2027-02-24T10:00:00Z", "not_before": "2026-11-26T10:00:00Z", "identifiers": ["xn--mnchen-3ya.test"]}', 'le', '2026-12-01 01:03:28.530407+00');
SELECT pg_catalog.setval('public.dnsrenew_change', 1, true);
SELECT pg_catalog.setval('public.dnsrenew_holder_id_seq', 2, true);
SELECT pg_catalog.setval('public.dnsrenew_journal_id_seq', 1, false);
SELECT pg_catalog.setval('public.dnsrenew_slot', 0, true);
ALTER TABLE ONLY public.dnsrenew_account
    ADD CONSTRAINT dnsrenew_account_pkey PRIMARY KEY (directory);
ALTER TABLE ONLY public.dnsrenew_certificate
    ADD CONSTRAINT dnsrenew_certificate_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.dnsrenew_document
    ADD CONSTRAINT dnsrenew_document_pkey PRIMARY KEY (name, kind);
ALTER TABLE ONLY public.dnsrenew_holder
    ADD CONSTRAINT dnsrenew_holder_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.dnsrenew_journal
    ADD CONSTRAINT dnsrenew_journal_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.dnsrenew_limit
    ADD CONSTRAINT dnsrenew_limit_pkey PRIMARY KEY (directory, key, kind);
ALTER TABLE ONLY public.dnsrenew_lock
    ADD CONSTRAINT dnsrenew_lock_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.dnsrenew_pace
    ADD CONSTRAINT dnsrenew_pace_pkey PRIMARY KEY (key);
ALTER TABLE ONLY public.dnsrenew_seal
    ADD CONSTRAINT dnsrenew_seal_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.dnsrenew_setting
    ADD CONSTRAINT dnsrenew_setting_pkey PRIMARY KEY (name);
ALTER TABLE ONLY public.dnsrenew_version
    ADD CONSTRAINT dnsrenew_version_pkey PRIMARY KEY (name, number);
CREATE INDEX dnsrenew_certificate_changed ON public.dnsrenew_certificate USING btree (changed);
CREATE INDEX dnsrenew_certificate_due ON public.dnsrenew_certificate USING btree (due) WHERE (wanted IS NOT NULL);
CREATE INDEX dnsrenew_certificate_identifiers ON public.dnsrenew_certificate USING gin (identifiers) WITH (fastupdate=off);
CREATE INDEX dnsrenew_certificate_parents ON public.dnsrenew_certificate USING gin (parents) WITH (fastupdate=off);
CREATE INDEX dnsrenew_certificate_tags ON public.dnsrenew_certificate USING gin (tags);
CREATE INDEX dnsrenew_document_kind ON public.dnsrenew_document USING btree (kind);
CREATE INDEX dnsrenew_issued_time ON public.dnsrenew_issued USING btree (issued);
CREATE INDEX dnsrenew_limit_until ON public.dnsrenew_limit USING btree (until);
CREATE INDEX dnsrenew_limit_waits ON public.dnsrenew_limit USING btree (directory) WHERE (kind = 'waits'::text);
CREATE INDEX dnsrenew_version_issued ON public.dnsrenew_version USING btree (issued);
CREATE INDEX dnsrenew_version_seal ON public.dnsrenew_version USING btree (substr(key, 1, 5));
