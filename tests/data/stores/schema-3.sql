BEGIN TRANSACTION;
CREATE TABLE msgtrack_agent_days (
	delivery_id VARCHAR(64) NOT NULL, 
	day INTEGER NOT NULL, 
	agent_key BIGINT NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	audience VARCHAR(16) NOT NULL, 
	times BIGINT NOT NULL, 
	PRIMARY KEY (delivery_id, day, agent_key, kind, audience)
)
 WITHOUT ROWID

;
INSERT INTO "msgtrack_agent_days" VALUES('',20540,0,'page-visit','human',1);
INSERT INTO "msgtrack_agent_days" VALUES('Spring',20540,0,'click','human',1);
INSERT INTO "msgtrack_agent_days" VALUES('Spring',20540,0,'open','human',1);
INSERT INTO "msgtrack_agent_days" VALUES('nobody',20540,0,'click','human',1);
INSERT INTO "msgtrack_agent_days" VALUES('push',20540,-2441500064111088966,'click','proxy',1);
INSERT INTO "msgtrack_agent_days" VALUES('push',20540,0,'open','machine',1);
INSERT INTO "msgtrack_agent_days" VALUES('spring',-7237,0,'open','machine',1);
INSERT INTO "msgtrack_agent_days" VALUES('spring',20540,-2441500064111088966,'click','human',2);
INSERT INTO "msgtrack_agent_days" VALUES('spring',20540,0,'click','human',1);
INSERT INTO "msgtrack_agent_days" VALUES('spring',20540,0,'mirror-page-view','human',1);
INSERT INTO "msgtrack_agent_days" VALUES('spring',20540,2038159091392475413,'click','proxy',1);
INSERT INTO "msgtrack_agent_days" VALUES('spring',20540,2038159091392475413,'open','human',1);
INSERT INTO "msgtrack_agent_days" VALUES('spring',20540,2038159091392475413,'open','machine',1);
INSERT INTO "msgtrack_agent_days" VALUES('spring',20540,2038159091392475413,'open','proxy',1);
INSERT INTO "msgtrack_agent_days" VALUES('spring',20540,2038159091392475413,'opt-out-click','unsure',1);
INSERT INTO "msgtrack_agent_days" VALUES('spring',20541,-2441500064111088966,'open','unsure',1);
INSERT INTO "msgtrack_agent_days" VALUES('spring',20541,0,'click','machine',1);
INSERT INTO "msgtrack_agent_days" VALUES('spring',20541,0,'click','unsure',1);
INSERT INTO "msgtrack_agent_days" VALUES('spring',20541,0,'transaction','human',1);
INSERT INTO "msgtrack_agent_days" VALUES('spring',20541,0,'transaction','unsure',1);
CREATE TABLE msgtrack_audit (
	id VARCHAR(64) NOT NULL, 
	started_at BIGINT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (id)
)
 WITHOUT ROWID

;
CREATE TABLE msgtrack_checkpoints (
	source VARCHAR(64) NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (source)
)
 WITHOUT ROWID

;
CREATE TABLE msgtrack_deliveries (
	id VARCHAR(64) NOT NULL, 
	is_apart SMALLINT NOT NULL, 
	channel_key BIGINT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (id)
)
 WITHOUT ROWID

;
INSERT INTO "msgtrack_deliveries" VALUES('Spring',1,-6583208273660932507,'{"v":1,"is_proof":true}');
INSERT INTO "msgtrack_deliveries" VALUES('model',1,-6583208273660932507,'{"v":1,"is_template":true}');
INSERT INTO "msgtrack_deliveries" VALUES('push',0,-1708015113620887457,'{"v":1,"channel":"push"}');
INSERT INTO "msgtrack_deliveries" VALUES('spring',0,-6583208273660932507,'{"v":1,"label":"Spring \u2603 \u0000\ud800","typology":"t","contact_at":"2026-03-28T22:58:00.000000Z","total_target":9}');
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
	agent_key BIGINT, 
	left_out SMALLINT NOT NULL, 
	request_id TEXT, 
	body TEXT, 
	PRIMARY KEY (seq), 
	UNIQUE (id)
);
INSERT INTO "msgtrack_events" VALUES(1,X'00000000000000000000000000000001','open',1774738680000000,'spring','m1','1',NULL,'proxy',2038159091392475413,0,NULL,'{"v":1,"client":{"user_agent":"UA 1","browser":"Fire\u0000fox","browser_version":"1","os":"Linux","is_mobile":false},"verdict":{"audience":"proxy"}}');
INSERT INTO "msgtrack_events" VALUES(2,X'00000000000000000000000000000002','open',1774738740000000,'spring','m1','1',NULL,'machine',2038159091392475413,0,NULL,'{"v":1,"client":{"user_agent":"UA 1","browser":"Fire\u0000fox","browser_version":"1","os":"Linux","is_mobile":false},"verdict":{"audience":"machine"}}');
INSERT INTO "msgtrack_events" VALUES(3,'e3 ','open',1774744080000000,'spring','m3','1','s1','unsure',-2441500064111088966,0,NULL,'{"v":1,"client":{"user_agent":"UA 2","os":"iOS","device":"iPhone","is_mobile":true},"verdict":{}}');
INSERT INTO "msgtrack_events" VALUES(4,X'00000000000000000000000000000004','click',1774738800000000,'spring','m1','2','s1','human',-2441500064111088966,0,NULL,'{"v":1,"client":{"user_agent":"UA 2","os":"iOS","device":"iPhone","is_mobile":true},"verdict":{"audience":"human"}}');
INSERT INTO "msgtrack_events" VALUES(5,X'00000000000000000000000000000005','click',1774742340000000,'spring','m1','3','s1','human',-2441500064111088966,0,NULL,'{"v":1,"client":{"user_agent":"UA 2","os":"iOS","device":"iPhone","is_mobile":true},"verdict":{"audience":"human"}}');
INSERT INTO "msgtrack_events" VALUES(6,'e6 ','click',1774742400000000,'spring','m3','4','s2','machine',NULL,0,NULL,'{"v":1,"client":{"user_agent":"bare"},"verdict":{"audience":"machine"}}');
INSERT INTO "msgtrack_events" VALUES(7,X'00000000000000000000000000000007','click',1774828680000000,'spring','m3','2','s2','unsure',NULL,0,NULL,'{"v":1,"verdict":{}}');
INSERT INTO "msgtrack_events" VALUES(8,X'00000000000000000000000000000008','click',1774738980000000,'spring','ghost','77','s3','human',NULL,0,NULL,'{"v":1,"verdict":{"audience":"human"}}');
INSERT INTO "msgtrack_events" VALUES(9,'e9 ','click',1774738980000000,'spring','seed','2','s9','proxy',2038159091392475413,0,NULL,'{"v":1,"client":{"user_agent":"UA 1","browser":"Fire\u0000fox","browser_version":"1","os":"Linux","is_mobile":false},"verdict":{"audience":"proxy"}}');
INSERT INTO "msgtrack_events" VALUES(10,X'0000000000000000000000000000000A','open',1774738980000000,'spring','seed','1',NULL,'human',2038159091392475413,0,NULL,'{"v":1,"client":{"user_agent":"UA 1","browser":"Fire\u0000fox","browser_version":"1","os":"Linux","is_mobile":false},"verdict":{"audience":"human"}}');
INSERT INTO "msgtrack_events" VALUES(11,X'0000000000000000000000000000000B','opt-out-click',1774739160000000,'spring','m4 ','5',NULL,'unsure',2038159091392475413,0,NULL,'{"v":1,"client":{"user_agent":"UA 1","browser":"Fire\u0000fox","browser_version":"1","os":"Linux","is_mobile":false},"verdict":{}}');
INSERT INTO "msgtrack_events" VALUES(12,'e12 ','mirror-page-view',1774739220000001,'spring',NULL,'6',NULL,'human',NULL,0,NULL,'{"v":1,"verdict":{"audience":"human"}}');
INSERT INTO "msgtrack_events" VALUES(13,X'0000000000000000000000000000000D','click',1774739220000000,'push','m1','2','s1','proxy',-2441500064111088966,0,NULL,'{"v":1,"client":{"user_agent":"UA 2","os":"iOS","device":"iPhone","is_mobile":true},"verdict":{"audience":"proxy"}}');
INSERT INTO "msgtrack_events" VALUES(14,X'0000000000000000000000000000000E','open',1774739220000000,'push','m1','1',NULL,'machine',NULL,0,NULL,'{"v":1,"verdict":{"audience":"machine"}}');
INSERT INTO "msgtrack_events" VALUES(15,'e15 ','open',1774739220000000,'Spring','p1','1',NULL,'human',NULL,0,NULL,'{"v":1,"verdict":{"audience":"human"}}');
INSERT INTO "msgtrack_events" VALUES(16,X'00000000000000000000000000000010','click',1774739220000000,'Spring','p1','2','s5','human',NULL,0,NULL,'{"v":1,"verdict":{"audience":"human"}}');
INSERT INTO "msgtrack_events" VALUES(17,X'00000000000000000000000000000011','open',1774738860000000,'spring','m1','1',NULL,'proxy',NULL,1,NULL,'{"v":1,"verdict":{"audience":"proxy"},"is_seed":true}');
INSERT INTO "msgtrack_events" VALUES(18,'e18 ','click',1774738860000000,'spring','m1','2','s7','machine',NULL,1,NULL,'{"v":1,"verdict":{"audience":"machine"},"is_proof":true}');
INSERT INTO "msgtrack_events" VALUES(19,X'00000000000000000000000000000013','transaction',1774742880000000,'spring','m1','9','s1','unsure',NULL,0,NULL,'{"v":1,"verdict":{},"amount":"1.50","article":2}');
INSERT INTO "msgtrack_events" VALUES(20,X'00000000000000000000000000000014','transaction',1774742880000000,'spring','m2','9',NULL,'human',NULL,0,NULL,'{"v":1,"verdict":{"audience":"human"},"amount":"2.5"}');
INSERT INTO "msgtrack_events" VALUES(21,'e21 ','sent',1774738680000000,'spring','m1',NULL,NULL,'proxy',NULL,0,NULL,'{"v":1,"verdict":{"audience":"proxy"}}');
INSERT INTO "msgtrack_events" VALUES(22,X'00000000000000000000000000000016','bounced',1774738740000000,'spring','m2',NULL,NULL,'machine',NULL,0,NULL,'{"v":1,"verdict":{"audience":"machine"},"failure_type":"hard","diagnostic":"550 \u2603"}');
INSERT INTO "msgtrack_events" VALUES(23,X'00000000000000000000000000000017','unknown',1774738680000000,NULL,NULL,NULL,NULL,'unsure',NULL,0,NULL,'{"v":1,"verdict":{},"name":"x"}');
INSERT INTO "msgtrack_events" VALUES(24,'e24 ','page-visit',1774738920000000,NULL,'m1','w','s1','human',NULL,0,NULL,'{"v":1,"verdict":{"audience":"human"}}');
INSERT INTO "msgtrack_events" VALUES(25,X'00000000000000000000000000000019','click',1774738920000000,'nobody','m1','2','s1','human',NULL,0,NULL,'{"v":1,"verdict":{"audience":"human"},"request_id":"r\u0000"}');
INSERT INTO "msgtrack_events" VALUES(26,X'0000000000000000000000000000001A','open',-625261320000000,'spring','m2','1',NULL,'machine',NULL,0,NULL,'{"v":1,"client":{"user_agent":"bare"},"verdict":{"audience":"machine"}}');
CREATE TABLE msgtrack_facts (
	kind VARCHAR(32) NOT NULL, 
	key_1 VARCHAR(320) NOT NULL, 
	key_2 VARCHAR(320) NOT NULL, 
	key_3 VARCHAR(320) NOT NULL, 
	delivery_id VARCHAR(64), 
	recipient_id VARCHAR(64), 
	body TEXT NOT NULL, 
	PRIMARY KEY (kind, key_1, key_2, key_3)
)
 WITHOUT ROWID

;
INSERT INTO "msgtrack_facts" VALUES('AddressState','email','bob@yahoo.com','','spring',NULL,'{"v":1,"address":"bob@yahoo.com","status":"quarantine","delivery_id":"spring"}');
INSERT INTO "msgtrack_facts" VALUES('Exclusion','spring','x1','','spring','r7','{"v":1,"delivery_id":"spring","id":"x1","recipient_id":"r7","failure_reason":"quarantined","rule":"too many"}');
INSERT INTO "msgtrack_facts" VALUES('Service','news','','',NULL,NULL,'{"v":1,"id":"news","label":"News"}');
INSERT INTO "msgtrack_facts" VALUES('SharedView','spring','w1','','spring',NULL,'{"v":1,"delivery_id":"spring","id":"w1","network":"email","occurred_at":"2026-03-28T23:09:00.000000Z"}');
INSERT INTO "msgtrack_facts" VALUES('StepView','a','s1','1',NULL,NULL,'{"v":1,"application_id":"a","step":"1","source_id":"s1","occurred_at":"2026-03-28T22:59:00.000000Z"}');
INSERT INTO "msgtrack_facts" VALUES('Subscription','news','r1','',NULL,'r1','{"v":1,"service_id":"news","recipient_id":"r1","created_at":"2026-03-28T22:58:00.000000Z"}');
INSERT INTO "msgtrack_facts" VALUES('Visitor','spring','v1','','spring','r8','{"v":1,"delivery_id":"spring","id":"v1","recipient_id":"r8","created_at":"2026-03-28T23:08:00.000000Z"}');
INSERT INTO "msgtrack_facts" VALUES('WebApplication','a','','',NULL,NULL,'{"v":1,"id":"a","steps":["1","2"]}');
CREATE TABLE msgtrack_frozen (
	delivery_id VARCHAR(64) NOT NULL, 
	audience VARCHAR(64) NOT NULL, 
	zone VARCHAR(64) NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (delivery_id, audience, zone)
)
 WITHOUT ROWID

;
CREATE TABLE msgtrack_links (
	delivery_id VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	type SMALLINT NOT NULL, 
	label_key BIGINT NOT NULL, 
	url_key BIGINT NOT NULL, 
	category_key BIGINT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (delivery_id, id)
)
 WITHOUT ROWID

;
INSERT INTO "msgtrack_links" VALUES('push','1',2,-1988759318143889432,1263414080570431441,3198279203137484509,'{"v":1,"url":"app:y","label":"never","type":"open"}');
INSERT INTO "msgtrack_links" VALUES('push','2',100,5867733722663867683,5867733722663867683,3198279203137484509,'{"v":1,"url":"app:x","type":"mobile_click"}');
INSERT INTO "msgtrack_links" VALUES('spring','2',1,-5285736013275611103,-7472089366097470262,-4906797614561945573,'{"v":1,"url":"https://shop.example/a","label":" Shop ","category":"c1"}');
INSERT INTO "msgtrack_links" VALUES('spring','3',1,-5285736013275611103,-7472089366097470262,3015821678205706671,'{"v":1,"url":"https://shop.example/a","label":"Shop","category":"c2"}');
INSERT INTO "msgtrack_links" VALUES('spring','4',1,6707198388681592693,6707198388681592693,3015821678205706671,'{"v":1,"url":"https://shop.example/b ","category":"c2"}');
INSERT INTO "msgtrack_links" VALUES('spring','5',3,-1799389794649606140,-5069598869510958937,3198279203137484509,'{"v":1,"url":"https://shop.example/o","label":"out","type":"opt_out"}');
CREATE TABLE msgtrack_messages (
	delivery_id VARCHAR(64) NOT NULL, 
	id VARCHAR(64) NOT NULL, 
	recipient_id VARCHAR(64), 
	is_seed SMALLINT NOT NULL, 
	domain_key BIGINT NOT NULL, 
	variant_key BIGINT NOT NULL, 
	profile_key BIGINT NOT NULL, 
	handled_slot BIGINT, 
	size_bytes BIGINT, 
	body TEXT NOT NULL, 
	PRIMARY KEY (delivery_id, id)
)
 WITHOUT ROWID

;
INSERT INTO "msgtrack_messages" VALUES('Spring','p1','r1',0,-5867508468658557113,3198279203137484509,4203643615883641514,NULL,NULL,'{"v":1,"domain":"Others","status":"sent"}');
INSERT INTO "msgtrack_messages" VALUES('push','m1','r1',0,3198279203137484509,3198279203137484509,-8276284897589277098,NULL,NULL,'{"v":1,"domain":"","address":"token","status":"taken_into_account"}');
INSERT INTO "msgtrack_messages" VALUES('spring','m1','r1',0,990784314671322742,76718375323695970,-4651909461457411883,1774738500,1200,'{"v":1,"domain":"Gmail","address":"ann@gmail.com","status":"sent","variant":"A","event_at":"2026-03-28T22:58:00.000000Z","size_bytes":1200}');
INSERT INTO "msgtrack_messages" VALUES('spring','m2','r2',0,-3502821337614615847,3415736976635402854,-3505526699501786327,1774738500,NULL,'{"v":1,"domain":"Yahoo","address":"bob@yahoo.com","status":"failed","failure_type":"hard","failure_reason":"denylisted","is_quarantine":true,"variant":"B","event_at":"2026-03-28T22:59:00.000000Z"}');
INSERT INTO "msgtrack_messages" VALUES('spring','m3','r1',0,990784314671322742,3415736976635402854,2755737679838276340,NULL,900,'{"v":1,"domain":"Gmail","address":"ann@gmail.com","status":"sent","format":"text","variant":"B","size_bytes":900}');
INSERT INTO "msgtrack_messages" VALUES('spring','m4 ',NULL,0,9151748365430666467,3198279203137484509,-4173622112532669035,1774739100,NULL,'{"v":1,"domain":"own\u0000\ud800","address":"c@x.example","status":"sent","event_at":"2026-03-28T23:05:00.000000Z"}');
INSERT INTO "msgtrack_messages" VALUES('spring','seed','r9',1,990784314671322742,3198279203137484509,-3445140059782430247,NULL,NULL,'{"v":1,"domain":"Gmail","address":"s@gmail.com","status":"sent","is_seed":true}');
CREATE TABLE msgtrack_runs (
	id VARCHAR(64) NOT NULL, 
	started_at BIGINT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY (id)
)
 WITHOUT ROWID

;
CREATE TABLE msgtrack_schema (
	version INTEGER NOT NULL, 
	PRIMARY KEY (version)
);
INSERT INTO "msgtrack_schema" VALUES(3);
CREATE TABLE msgtrack_slots (
	delivery_id VARCHAR(64) NOT NULL, 
	kind VARCHAR(32) NOT NULL, 
	link_id VARCHAR(64) NOT NULL, 
	slot BIGINT NOT NULL, 
	audience VARCHAR(16) NOT NULL, 
	times BIGINT NOT NULL, 
	PRIMARY KEY (delivery_id, kind, link_id, slot, audience)
)
 WITHOUT ROWID

;
INSERT INTO "msgtrack_slots" VALUES('','page-visit','w',1774738800,'human',1);
INSERT INTO "msgtrack_slots" VALUES('','unknown','',1774738500,'unsure',1);
INSERT INTO "msgtrack_slots" VALUES('Spring','click','2',1774739100,'human',1);
INSERT INTO "msgtrack_slots" VALUES('Spring','open','1',1774739100,'human',1);
INSERT INTO "msgtrack_slots" VALUES('nobody','click','2',1774738800,'human',1);
INSERT INTO "msgtrack_slots" VALUES('push','click','2',1774739100,'proxy',1);
INSERT INTO "msgtrack_slots" VALUES('push','open','1',1774739100,'machine',1);
INSERT INTO "msgtrack_slots" VALUES('spring','bounced','',1774738500,'machine',1);
INSERT INTO "msgtrack_slots" VALUES('spring','click','2',1774738800,'human',1);
INSERT INTO "msgtrack_slots" VALUES('spring','click','2',1774738800,'proxy',1);
INSERT INTO "msgtrack_slots" VALUES('spring','click','2',1774828500,'unsure',1);
INSERT INTO "msgtrack_slots" VALUES('spring','click','3',1774742100,'human',1);
INSERT INTO "msgtrack_slots" VALUES('spring','click','4',1774742400,'machine',1);
INSERT INTO "msgtrack_slots" VALUES('spring','click','77',1774738800,'human',1);
INSERT INTO "msgtrack_slots" VALUES('spring','mirror-page-view','6',1774739100,'human',1);
INSERT INTO "msgtrack_slots" VALUES('spring','open','1',-625261500,'machine',1);
INSERT INTO "msgtrack_slots" VALUES('spring','open','1',1774738500,'machine',1);
INSERT INTO "msgtrack_slots" VALUES('spring','open','1',1774738500,'proxy',1);
INSERT INTO "msgtrack_slots" VALUES('spring','open','1',1774738800,'human',1);
INSERT INTO "msgtrack_slots" VALUES('spring','open','1',1774743900,'unsure',1);
INSERT INTO "msgtrack_slots" VALUES('spring','opt-out-click','5',1774739100,'unsure',1);
INSERT INTO "msgtrack_slots" VALUES('spring','sent','',1774738500,'proxy',1);
INSERT INTO "msgtrack_slots" VALUES('spring','transaction','9',1774742700,'human',1);
INSERT INTO "msgtrack_slots" VALUES('spring','transaction','9',1774742700,'unsure',1);
CREATE TABLE msgtrack_terms (
	"key" BIGINT NOT NULL, 
	body TEXT NOT NULL, 
	PRIMARY KEY ("key")
)
 WITHOUT ROWID

;
INSERT INTO "msgtrack_terms" VALUES(-8276284897589277098,'["","",3,0,0,0,0,0]');
INSERT INTO "msgtrack_terms" VALUES(-4651909461457411883,'["Gmail","A",1,0,0,0,0,0]');
INSERT INTO "msgtrack_terms" VALUES(-4173622112532669035,'["own\u0000\ud800","",1,0,0,0,0,0]');
INSERT INTO "msgtrack_terms" VALUES(-3505526699501786327,'["Yahoo","B",2,2,8,0,1,0]');
INSERT INTO "msgtrack_terms" VALUES(-3445140059782430247,'["Gmail","",1,0,0,0,0,1]');
INSERT INTO "msgtrack_terms" VALUES(-2441500064111088966,'["","","iOS","","iPhone",1]');
INSERT INTO "msgtrack_terms" VALUES(2038159091392475413,'["Fire\u0000fox","1","Linux","","",0]');
INSERT INTO "msgtrack_terms" VALUES(2755737679838276340,'["Gmail","B",1,0,0,1,0,0]');
INSERT INTO "msgtrack_terms" VALUES(4203643615883641514,'["Others","",1,0,0,0,0,0]');
CREATE INDEX msgtrack_messages_recipient ON msgtrack_messages (recipient_id);
CREATE INDEX msgtrack_messages_seeds ON msgtrack_messages (is_seed, delivery_id, id) WHERE is_seed = 1;
CREATE INDEX msgtrack_facts_recipient ON msgtrack_facts (recipient_id);
CREATE INDEX msgtrack_facts_delivery ON msgtrack_facts (kind, delivery_id);
CREATE INDEX msgtrack_events_delivery ON msgtrack_events (delivery_id, occurred_at);
CREATE INDEX msgtrack_events_message ON msgtrack_events (delivery_id, message_id);
COMMIT;
