BEGIN TRANSACTION;
CREATE TABLE msgtrack_checkpoints (
	source VARCHAR(64) NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (source)
)
 WITHOUT ROWID

;
CREATE TABLE msgtrack_deliveries (
	id VARCHAR(64) NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (id)
)
 WITHOUT ROWID

;
INSERT INTO "msgtrack_deliveries" VALUES('Spring','{"v":1,"is_proof":true}');
INSERT INTO "msgtrack_deliveries" VALUES('model','{"v":1,"is_template":true}');
INSERT INTO "msgtrack_deliveries" VALUES('push','{"v":1,"channel":"push"}');
INSERT INTO "msgtrack_deliveries" VALUES('spring','{"v":1,"label":"Spring \u2603 \u0000\ud800","typology":"t","contact_at":"2026-03-28T22:58:00.000000Z","total_target":9}');
CREATE TABLE msgtrack_events (
	seq INTEGER NOT NULL, 
	id BLOB NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	occurred_at BIGINT NOT NULL, 
	delivery_id VARCHAR(64), 
	message_id VARCHAR(64), 
	link_id VARCHAR(64), 
	source_id VARCHAR(64), 
	audience VARCHAR(16) NOT NULL, 
	request_id TEXT, 
	body TEXT, 
	PRIMARY KEY (seq), 
	UNIQUE (id)
);
INSERT INTO "msgtrack_events" VALUES(1,X'00000000000000000000000000000001','open',1774738680000000,'spring','m1','1',NULL,'proxy',NULL,'{"v":1,"client":{"user_agent":"UA 1","browser":"Fire\u0000fox","browser_version":"1","os":"Linux","is_mobile":false},"verdict":{"audience":"proxy"}}');
INSERT INTO "msgtrack_events" VALUES(2,X'00000000000000000000000000000002','open',1774738740000000,'spring','m1','1',NULL,'machine',NULL,'{"v":1,"client":{"user_agent":"UA 1","browser":"Fire\u0000fox","browser_version":"1","os":"Linux","is_mobile":false},"verdict":{"audience":"machine"}}');
INSERT INTO "msgtrack_events" VALUES(3,'e3 ','open',1774744080000000,'spring','m3','1','s1','unsure',NULL,'{"v":1,"client":{"user_agent":"UA 2","os":"iOS","device":"iPhone","is_mobile":true},"verdict":{}}');
INSERT INTO "msgtrack_events" VALUES(4,X'00000000000000000000000000000004','click',1774738800000000,'spring','m1','2','s1','human',NULL,'{"v":1,"client":{"user_agent":"UA 2","os":"iOS","device":"iPhone","is_mobile":true},"verdict":{"audience":"human"}}');
INSERT INTO "msgtrack_events" VALUES(5,X'00000000000000000000000000000005','click',1774742340000000,'spring','m1','3','s1','human',NULL,'{"v":1,"client":{"user_agent":"UA 2","os":"iOS","device":"iPhone","is_mobile":true},"verdict":{"audience":"human"}}');
INSERT INTO "msgtrack_events" VALUES(6,'e6 ','click',1774742400000000,'spring','m3','4','s2','machine',NULL,'{"v":1,"client":{"user_agent":"bare"},"verdict":{"audience":"machine"}}');
INSERT INTO "msgtrack_events" VALUES(7,X'00000000000000000000000000000007','click',1774828680000000,'spring','m3','2','s2','unsure',NULL,'{"v":1,"verdict":{}}');
INSERT INTO "msgtrack_events" VALUES(8,X'00000000000000000000000000000008','click',1774738980000000,'spring','ghost','77','s3','human',NULL,'{"v":1,"verdict":{"audience":"human"}}');
INSERT INTO "msgtrack_events" VALUES(9,'e9 ','click',1774738980000000,'spring','seed','2','s9','proxy',NULL,'{"v":1,"client":{"user_agent":"UA 1","browser":"Fire\u0000fox","browser_version":"1","os":"Linux","is_mobile":false},"verdict":{"audience":"proxy"}}');
INSERT INTO "msgtrack_events" VALUES(10,X'0000000000000000000000000000000A','open',1774738980000000,'spring','seed','1',NULL,'human',NULL,'{"v":1,"client":{"user_agent":"UA 1","browser":"Fire\u0000fox","browser_version":"1","os":"Linux","is_mobile":false},"verdict":{"audience":"human"}}');
INSERT INTO "msgtrack_events" VALUES(11,X'0000000000000000000000000000000B','opt-out-click',1774739160000000,'spring','m4 ','5',NULL,'unsure',NULL,'{"v":1,"client":{"user_agent":"UA 1","browser":"Fire\u0000fox","browser_version":"1","os":"Linux","is_mobile":false},"verdict":{}}');
INSERT INTO "msgtrack_events" VALUES(12,'e12 ','mirror-page-view',1774739220000001,'spring',NULL,'6',NULL,'human',NULL,'{"v":1,"verdict":{"audience":"human"}}');
INSERT INTO "msgtrack_events" VALUES(13,X'0000000000000000000000000000000D','click',1774739220000000,'push','m1','2','s1','proxy',NULL,'{"v":1,"client":{"user_agent":"UA 2","os":"iOS","device":"iPhone","is_mobile":true},"verdict":{"audience":"proxy"}}');
INSERT INTO "msgtrack_events" VALUES(14,X'0000000000000000000000000000000E','open',1774739220000000,'push','m1','1',NULL,'machine',NULL,'{"v":1,"verdict":{"audience":"machine"}}');
INSERT INTO "msgtrack_events" VALUES(15,'e15 ','open',1774739220000000,'Spring','p1','1',NULL,'human',NULL,'{"v":1,"verdict":{"audience":"human"}}');
INSERT INTO "msgtrack_events" VALUES(16,X'00000000000000000000000000000010','click',1774739220000000,'Spring','p1','2','s5','human',NULL,'{"v":1,"verdict":{"audience":"human"}}');
INSERT INTO "msgtrack_events" VALUES(17,X'00000000000000000000000000000011','open',1774738860000000,'spring','m1','1',NULL,'proxy',NULL,'{"v":1,"verdict":{"audience":"proxy"},"is_seed":true}');
INSERT INTO "msgtrack_events" VALUES(18,'e18 ','click',1774738860000000,'spring','m1','2','s7','machine',NULL,'{"v":1,"verdict":{"audience":"machine"},"is_proof":true}');
INSERT INTO "msgtrack_events" VALUES(19,X'00000000000000000000000000000013','transaction',1774742880000000,'spring','m1','9','s1','unsure',NULL,'{"v":1,"verdict":{},"amount":"1.50","article":2}');
INSERT INTO "msgtrack_events" VALUES(20,X'00000000000000000000000000000014','transaction',1774742880000000,'spring','m2','9',NULL,'human',NULL,'{"v":1,"verdict":{"audience":"human"},"amount":"2.5"}');
INSERT INTO "msgtrack_events" VALUES(21,'e21 ','sent',1774738680000000,'spring','m1',NULL,NULL,'proxy',NULL,'{"v":1,"verdict":{"audience":"proxy"}}');
INSERT INTO "msgtrack_events" VALUES(22,X'00000000000000000000000000000016','bounced',1774738740000000,'spring','m2',NULL,NULL,'machine',NULL,'{"v":1,"verdict":{"audience":"machine"},"failure_type":"hard","diagnostic":"550 \u2603"}');
INSERT INTO "msgtrack_events" VALUES(23,X'00000000000000000000000000000017','unknown',1774738680000000,NULL,NULL,NULL,NULL,'unsure',NULL,'{"v":1,"verdict":{},"name":"x"}');
INSERT INTO "msgtrack_events" VALUES(24,'e24 ','page-visit',1774738920000000,NULL,'m1','w','s1','human',NULL,'{"v":1,"verdict":{"audience":"human"}}');
INSERT INTO "msgtrack_events" VALUES(25,X'00000000000000000000000000000019','click',1774738920000000,'nobody','m1','2','s1','human',NULL,'{"v":1,"verdict":{"audience":"human"},"request_id":"r\u0000"}');
INSERT INTO "msgtrack_events" VALUES(26,X'0000000000000000000000000000001A','open',-625261320000000,'spring','m2','1',NULL,'machine',NULL,'{"v":1,"client":{"user_agent":"bare"},"verdict":{"audience":"machine"}}');
CREATE TABLE msgtrack_links (
	delivery_id VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (delivery_id, id)
)
 WITHOUT ROWID

;
INSERT INTO "msgtrack_links" VALUES('push','1','{"v":1,"url":"app:y","label":"never","type":"open"}');
INSERT INTO "msgtrack_links" VALUES('push','2','{"v":1,"url":"app:x","type":"mobile_click"}');
INSERT INTO "msgtrack_links" VALUES('spring','2','{"v":1,"url":"https://shop.example/a","label":" Shop ","category":"c1"}');
INSERT INTO "msgtrack_links" VALUES('spring','3','{"v":1,"url":"https://shop.example/a","label":"Shop","category":"c2"}');
INSERT INTO "msgtrack_links" VALUES('spring','4','{"v":1,"url":"https://shop.example/b ","category":"c2"}');
INSERT INTO "msgtrack_links" VALUES('spring','5','{"v":1,"url":"https://shop.example/o","label":"out","type":"opt_out"}');
CREATE TABLE msgtrack_messages (
	delivery_id VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	recipient_id VARCHAR(64), 
	body TEXT NOT NULL, 
	PRIMARY KEY (delivery_id, id)
)
 WITHOUT ROWID

;
INSERT INTO "msgtrack_messages" VALUES('Spring','p1','r1','{"v":1,"domain":"Others","status":"sent"}');
INSERT INTO "msgtrack_messages" VALUES('push','m1','r1','{"v":1,"domain":"","address":"token","status":"taken_into_account"}');
INSERT INTO "msgtrack_messages" VALUES('spring','m1','r1','{"v":1,"domain":"Gmail","address":"ann@gmail.com","status":"sent","variant":"A","event_at":"2026-03-28T22:58:00.000000Z"}');
INSERT INTO "msgtrack_messages" VALUES('spring','m2','r2','{"v":1,"domain":"Yahoo","address":"bob@yahoo.com","status":"failed","failure_type":"hard","failure_reason":"denylisted","is_quarantine":true,"variant":"B","event_at":"2026-03-28T22:59:00.000000Z"}');
INSERT INTO "msgtrack_messages" VALUES('spring','m3','r1','{"v":1,"domain":"Gmail","address":"ann@gmail.com","status":"sent","format":"text","variant":"B"}');
INSERT INTO "msgtrack_messages" VALUES('spring','m4 ',NULL,'{"v":1,"domain":"own\u0000\ud800","address":"c@x.example","status":"sent","event_at":"2026-03-28T23:05:00.000000Z"}');
INSERT INTO "msgtrack_messages" VALUES('spring','seed','r9','{"v":1,"domain":"Gmail","address":"s@gmail.com","status":"sent","is_seed":true}');
CREATE TABLE msgtrack_runs (
	id VARCHAR(64) NOT NULL, 
	started_at BIGINT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (id)
)
 WITHOUT ROWID

;
CREATE TABLE msgtrack_schema (
	version INTEGER NOT NULL
);
INSERT INTO "msgtrack_schema" VALUES(1);
CREATE INDEX msgtrack_messages_recipient ON msgtrack_messages (recipient_id);
CREATE INDEX msgtrack_events_delivery ON msgtrack_events (delivery_id, occurred_at);
COMMIT;
