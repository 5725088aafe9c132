"""The access logs among the samples: which format reads each of them, and what comes out."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from datetime import timedelta, timezone
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from attrs import evolve

from msgtrack.logs import formats
from msgtrack.logs.formats import LogFormat, apache, nginx

__all__ = ["CUSTOM", "FILES", "WHY_REJECTED", "format_of", "is_log", "lines_in", "samples_in"]


def is_log(path: Path) -> bool:
    """Whether a file holds lines of logs; the others hold what is expected of them."""
    return (
        path.is_file() and "expected" not in path.name and "golden" not in path.name and "structured" not in path.parts
    )


def lines_in(path: Path) -> list[str]:
    """The lines in a file of the samples, whatever it wraps them in."""
    if path.suffix == ".yaml":
        return [test["sample"] for test in samples_in(path)]
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    text = data.decode("utf-8", "surrogateescape")
    if path.suffix == ".jsonl":
        return [json.loads(line)["line"] for line in text.splitlines()]
    if path.name.endswith(".ini.txt"):
        return re.findall(r"(?m)^;?log \d+ (?:pass|fail) = (.*)$", text)
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def samples_in(path: Path) -> list[dict[str, Any]]:
    """The tests of a file in YAML: each a ``sample`` and a ``result``."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]


def _iis() -> LogFormat:
    fields = "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(user-agent) sc-status sc-substatus"
    w3c = formats.get("w3c")
    return evolve(w3c, begin=lambda _: w3c.reader(f"{fields} sc-win32-status time-taken\n"))


# What a server was told, as far as it can be seen from the lines.
CUSTOM: dict[str, Callable[[], LogFormat]] = {
    "ssl-request": lambda: apache('LogFormat "%t %h %{SSL_PROTOCOL}x %{SSL_CIPHER}x \\"%r\\" %b" ssl-request'),
    "gandi": lambda: apache('%v %h %l %u %t (%T s) "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'),
    "vhost-common": lambda: apache('%v %h %l %u %t "%r" %>s %b'),
    "with-duration": lambda: apache('%h %l %u %t "%r" %>s %b %D "%{Referer}i" "%{User-Agent}i"'),
    "custom-date": lambda: apache('%h %l %u [%{%B - %d, %Y:%H:%M:%S}t] "%r" %>s %b', zone=timezone(timedelta(hours=1))),
    "iso-time": lambda: nginx(
        '$remote_addr - $remote_user $time_iso8601 "$request" $status $bytes_sent "$http_referer" "$http_user_agent"'
    ),
    "proxy-manager": lambda: nginx(
        "log_format proxy '[$time_local] $upstream_cache_status $upstream_status $status - $request_method $scheme $host "
        '"$request_uri" [Client $remote_addr] [Length $body_bytes_sent] [Gzip $gzip_ratio] [Sent-to $server] '
        '"$http_user_agent" "$http_referer"\';'
    ),
    "proxy-manager-standard": lambda: nginx(
        "log_format standard '[$time_local] $status - $request_method $scheme $host \"$request_uri\" [Client $remote_addr] "
        "[Length $body_bytes_sent] [Gzip $gzip_ratio] \"$http_user_agent\" \"$http_referer\"';"
    ),
    "catch-npm": lambda: nginx(
        '[$time_local] $host $remote_addr $request_time "$request" $status $body_bytes_sent $request_length $http_referer '
        "$http_user_agent"
    ),
    "iis-without-head": _iis,
}


@cache
def format_of(name: str) -> LogFormat:
    """The format of a name in :data:`FILES`."""
    return CUSTOM[name]() if name in CUSTOM else formats.get(name)


FILES: dict[str, tuple[str, str]] = {
    "awsdocs/AccessLogs-03.log": ("cloudfront", "6 hits"),
    "awsdocs/access-log-collection-04.log": ("elb", "1 hit"),
    "awsdocs/access-log-collection-05.log": ("elb", "1 hit"),
    "awsdocs/access-log-collection-06.log": ("elb", "1 bad-request"),
    "awsdocs/access-log-collection-07.log": ("elb", "1 bad-request"),
    "awsdocs/load-balancer-access-logs-03.log": ("alb", "1 hit"),
    "awsdocs/load-balancer-access-logs-04.log": ("alb", "1 hit"),
    "awsdocs/load-balancer-access-logs-05.log": ("alb", "1 hit"),
    "awsdocs/load-balancer-access-logs-06.log": ("alb", "1 hit"),
    "awsdocs/load-balancer-access-logs-07.log": ("alb", "1 hit"),
    "awsdocs/load-balancer-access-logs-08.log": ("alb", "1 hit"),
    "awsdocs/load-balancer-access-logs-09.log": ("alb", "1 hit"),
    "awstats/testsmall.log": ("combined", "3 hits"),
    "awstats/testtime5.log": ("iso-time", "2 hits"),
    "crowdsec-hub/apache-http-probing/apache-http-probing.log": ("combined", "75 hits, 2 bad-request"),
    "crowdsec-hub/apache2-logs/apache2-logs.log": ("combined", "7 hits, 2 not-combined"),
    "crowdsec-hub/apache2-malformed/apache2-logs.log": ("combined", "11 bad-request"),
    "crowdsec-hub/apache_log4j2_cve-2021-44228/apache_log4j2_cve-2021-44228.log": ("combined", "3 hits"),
    "crowdsec-hub/base-upsun-generic-test/base-upsun-generic-test.log": ("", "messages of a platform's own"),
    "crowdsec-hub/bunkerweb-bad-user-agent/bunkerweb-bad-user-agent.log": ("vhost-combined", "3 hits"),
    "crowdsec-hub/envoy-http-bad-user-agent/envoy-http-bad-user-agent.log": ("envoy-json", "2 hits"),
    "crowdsec-hub/envoy-logs/envoy.log": ("envoy-json", "6 hits, 4 not-envoy-json"),
    "crowdsec-hub/haproxy-logs/haproxy-logs.log": ("haproxy", "2 hits, 3 not-haproxy"),
    "crowdsec-hub/haproxy-nextcloud-whitelist/haproxy-logs.log": ("haproxy", "1 hit"),
    "crowdsec-hub/http-admin-interface-probing/http-admin-interface-probing.log": ("combined", "3 hits"),
    "crowdsec-hub/http-cve-probing/http-cve-probing.log": ("combined", "3 hits"),
    "crowdsec-hub/http-dos-bypass-cache/http_dos_bypass_cache.log": ("combined", "356 hits"),
    "crowdsec-hub/http-dos-random-uri/http_dos_random_uri.log": ("combined", "66 hits"),
    "crowdsec-hub/http-dos-switching-ua/http-dos-switching-ua.log": ("combined", "15 hits"),
    "crowdsec-hub/http-magento-bf/http-magento-bf.log": ("", "messages of a shop"),
    "crowdsec-hub/http-technology-probing/http-technology-probing.log": ("combined", "5 hits"),
    "crowdsec-hub/http-wordpress_wpconfig/http-wordpress_wpconfig.log": ("combined", "14 hits"),
    "crowdsec-hub/litespeed-admin-bf/litespeed-admin-bf.log": ("", "LiteSpeed's error log"),
    "crowdsec-hub/litespeed-logs/litespeed-logs.log": ("combined", "1 hit, 2 not-combined"),
    "crowdsec-hub/nginx-bad-user-agent/nginx-bad-user-agent.log": ("combined", "3 hits"),
    "crowdsec-hub/nginx-http-generic-bf/nginx-http-generic-bf.log": ("combined", "6 hits, 16 not-combined"),
    "crowdsec-hub/nginx-http-open-proxy/nginx-http-open-proxy.log": ("combined", "2 hits"),
    "crowdsec-hub/nginx-http-path-traversal/nginx-http-path-traversal.log": ("combined", "9 hits"),
    "crowdsec-hub/nginx-http-sensitive-files/nginx-http-sensitive-files.log": ("combined", "9 hits"),
    "crowdsec-hub/nginx-http-w00twoot/nginx-http-w00twoot.log": ("combined", "2 hits"),
    "crowdsec-hub/nginx-mail-logs/nginx-mail-logs.log": ("combined", "2 hits, 15 not-combined"),
    "crowdsec-hub/nginx-proxy-manager-logs/nginx-proxy-manager-logs.log": ("proxy-manager", "6 hits, 8 not-proxy"),
    "crowdsec-hub/nginx-proxy-manager-malformed/nginx_http-logs.log": ("combined", "12 bad-request"),
    "crowdsec-hub/nginx_http-catch-npm/nginx_http-catch-npm.log": ("catch-npm", "3 hits, 1 bad-request, 2 not-nginx"),
    "crowdsec-hub/nginx_req_limit_exceeded/nginx_req_limit_exceeded.log": ("", "nginx's error log"),
    "crowdsec-hub/sympa_ww-http-scan/sympa_ww-logs.log": ("", "messages of a mailing-list manager"),
    "crowdsec-hub/tcpudp-flood-traefik/tcpudp-flood-traefik.log": ("", "Traefik's messages on connections"),
    "crowdsec-hub/traefik_base-http-scenario/traefik_base-http-scenario.log": ("traefik-json", "80 hits"),
    "crowdsec-hub/traefik_clf/traefik_clf.log": ("traefik", "7 hits"),
    "datadog-integrations/iis_tests.yaml": ("iis-without-head", "1 hit"),
    "datadog-integrations/lighttpd_tests.yaml": ("lighttpd", "1 hit, 1 not-lighttpd"),
    "datadog-integrations/nginx-ingress-controller_tests.yaml": ("combined", "8 hits, 3 not-combined"),
    "datadog-integrations/tomcat_tests.yaml": ("combined", "2 hits, 9 not-combined"),
    "elastic-examples/apache_combined_10k.log.gz": ("combined", "5704 hits, 1 not-combined"),
    "elastic-examples/nginxplus_json.log.gz": ("", "statistics of NGINX Plus, no requests"),
    "fail2ban/apache-badbots.log": ("combined", "4 hits, 4 not-combined"),
    "fail2ban/apache-botsearch.log": ("", "Apache's error log"),
    "fail2ban/apache-nohome.log": ("", "Apache's error log"),
    "fail2ban/apache-overflows.log": ("", "Apache's error log"),
    "fail2ban/haproxy-http-auth.log": ("haproxy", "4 hits, 4 not-haproxy"),
    "fail2ban/lighttpd-auth.log": ("", "lighttpd's error log"),
    "fail2ban/nginx-bad-request.log": ("combined", "3 hits, 5 bad-request, 8 not-combined"),
    "fail2ban/nginx-botsearch.log": ("combined", "8 hits, 21 not-combined"),
    "fail2ban/nginx-http-auth.log": ("", "nginx's error log"),
    "fail2ban/nginx-limit-req.log": ("", "nginx's error log"),
    "fail2ban/php-url-fopen.log": ("combined", "1 hit, 1 not-combined"),
    "fail2ban/traefik-auth.log": ("traefik", "6 hits, 10 not-traefik"),
    "filebeat-modules/2018/apache2/access/test.log": ("combined", "3 hits, 1 bad-request"),
    "filebeat-modules/2018/haproxy/log/tcplog.log": ("", "HAProxy's log of TCP connections, which holds no requests"),
    "filebeat-modules/2018/nginx/access/test.log": ("combined", "6 hits, 1 bad-request"),
    "filebeat-modules/2018/traefik/access/test.log": ("combined", "2 hits"),
    "filebeat-modules/2019/apache/access/darwin-2.4.23.log": ("combined", "5 hits, 1 bad-request"),
    "filebeat-modules/2019/apache/access/ssl-request.log": ("ssl-request", "1 hit"),
    "filebeat-modules/2019/apache/access/test.log": ("combined", "4 hits, 2 bad-request"),
    "filebeat-modules/2019/haproxy/log/default.log": ("", "HAProxy's default without httplog, which holds no requests"),
    "filebeat-modules/2019/iis/access/test-iis-7.5.log": ("w3c", "4 hits"),
    "filebeat-modules/2019/iis/access/test.log": ("w3c", "3 hits, 2 not-w3c"),
    "filebeat-modules/2019/nginx/access/access.log": ("combined", "12 hits"),
    "filebeat-modules/2019/traefik/access/test.log": ("traefik", "6 hits, 1 not-traefik"),
    "lnav/format-samples/access_log.log": ("combined", "6 hits, 3 not-combined"),
    "lnav/format-samples/alb_log.log": ("alb", "5 hits"),
    "lnav/format-samples/elb_log.log": ("elb", "3 hits, 2 bad-request"),
    "lnav/format-samples/haproxy_log.log": ("haproxy", "1 hit, 5 not-haproxy"),
    "lnav/format-samples/uwsgi_log.log": (
        "",
        "uWSGI's own log: it names neither agent nor referrer, and a web server stands before it",
    ),
    "lnav/logfile_access_log.1.log": ("combined", "1 bad-request"),
    "lnav/logfile_bad_access_log.0.log": ("combined", "2 hits, 1 not-combined"),
    "lnav/logfile_caddy_log.0.log": ("caddy", "4 hits, 35 not-caddy"),
    "lnav/logfile_caddy_log.1.log": ("caddy", "4 hits"),
    "lnav/logfile_cloudflare.1.log": ("cloudflare", "15 hits"),
    "lnav/logfile_cloudflare.json.log": ("cloudflare", "1 hit"),
    "lnav/logfile_haproxy.0.log": ("haproxy", "13 hits, 4 not-haproxy"),
    "lnav/logfile_nextcloud.0.log": ("", "messages of an application"),
    "lnav/logfile_openam.0.log": ("", "an audit log of an application"),
    "lnav/logfile_regexp_access_log.0.log": ("vhost-combined", "2 hits"),
    "lnav/logfile_w3c.0.log": ("w3c", "1 hit"),
    "lnav/logfile_w3c.2.log": ("w3c", "14 bad-request"),
    "lnav/logfile_w3c.5.log": ("", "its #Fields line does not fit its lines"),
    "lnav/logfile_w3c_big.0.log": ("w3c", "210 hits"),
    "lnav/shop_access_log.log": ("combined", "554 hits"),
    "matomo-log-analytics/alb.log": ("alb", "1 hit"),
    "matomo-log-analytics/amazon_cloudfront_rtmp.log": ("w3c", "2 bad-request"),
    "matomo-log-analytics/amazon_cloudfront_web.log": ("cloudfront", "1 hit"),
    "matomo-log-analytics/caddy_json.log": ("caddy", "3 hits"),
    "matomo-log-analytics/common_encoding_big5.log": ("vhost-combined", "1 hit"),
    "matomo-log-analytics/common_vhost.log": ("vhost-common", "1 hit"),
    "matomo-log-analytics/custom_regex_custom_date.log": ("custom-date", "1 hit"),
    "matomo-log-analytics/elb.log": ("elb", "1 hit, 1 bad-request, 1 not-elb"),
    "matomo-log-analytics/gandi.log": ("gandi", "2 hits"),
    "matomo-log-analytics/icecast2.log": ("combined", "1 hit"),
    "matomo-log-analytics/ncsa_extended.log": ("combined", "1 hit"),
    "matomo-log-analytics/netscaler.log": ("w3c", "1 hit"),
    "matomo-log-analytics/nginx_json.log": ("nginx-json", "2 not-nginx-json"),
    "matomo-log-analytics/s3.log": ("s3", "1 hit"),
    "matomo-log-analytics/shoutcast.log": ("w3c", "1 bad-request"),
    "matomo-log-analytics/static_ignores.log": ("vhost-combined", "4 hits"),
    "mtail/apache-combined.log": ("combined", "5 hits"),
    "mtail/apache-common.log": ("with-duration", "3 hits"),
    "nielsbasjes-logparser/hackers-access.log": ("combined", "2065 hits"),
    "nielsbasjes-logparser/httpdlog-access.log": ("combined", "1 hit"),
    "opensearch-catalog/amazon_cloudfront.log": ("cloudfront", "25 hits"),
    "opensearch-catalog/amazon_elb.log": ("alb", "35 hits"),
    "opensearch-catalog/amazon_s3.log": ("s3", "10 hits"),
    "opensearch-catalog/nginx.log": ("combined", "839 hits"),
    "vector-vrl/parse_apache_log.jsonl": ("combined", "1 hit, 3 not-combined"),
    "vector-vrl/parse_aws_alb_log.jsonl": ("alb", "8 hits"),
    "vector-vrl/parse_common_log.jsonl": ("common", "1 hit, 1 bad-time"),
    "vector-vrl/parse_nginx_log.jsonl": ("combined", "4 hits, 1 bad-request, 4 not-combined"),
    "wazuh-ruleset/apache.ini.txt": ("", "Apache's error log"),
    "wazuh-ruleset/nginx.ini.txt": ("", "nginx's error log"),
    "wazuh-ruleset/web_appsec.ini.txt": ("combined", "33 not-combined"),
    "wazuh-ruleset/web_rules.ini.txt": ("combined", "5 not-combined"),
}
"""Of each file: the format that reads it and what comes out; or no format, and why not."""

WHY_REJECTED = {
    "awsdocs/access-log-collection-06.log": "a TCP connection through a load balancer asks for nothing",
    "crowdsec-hub/apache2-malformed/apache2-logs.log": "a handshake of TLS where a request should stand, and worse",
    "datadog-integrations/tomcat_tests.yaml": "Tomcat's messages among its requests",
    "filebeat-modules/2019/iis/access/test.log": "a blank within a query, which IIS should have escaped",
    "lnav/logfile_bad_access_log.0.log": "a line without identity and user",
    "lnav/logfile_w3c.2.log": "FTP has no methods and URLs",
    "matomo-log-analytics/amazon_cloudfront_rtmp.log": "RTMP has no methods; CloudFront has given it up",
    "matomo-log-analytics/nginx_json.log": "it does not tell the method, and HEAD is no reader",
    "matomo-log-analytics/shoutcast.log": "a server of radio tells no methods",
    "vector-vrl/parse_common_log.jsonl": "a request in which nothing is told",
    "wazuh-ruleset/web_appsec.ini.txt": "made-up lines with a day of one digit, which no server writes, and lines cut in the middle",
    "wazuh-ruleset/web_rules.ini.txt": "the same, and lines of IIS without their head",
}
"""Why files that a format should read, by their name, have none of their lines or some of them rejected; where it is not plain."""
