"""Every HTTPS request: time-outs, proxies, trust, user agent, size limit. The only user of requests."""

from dnsrenew.http.client import HttpClient, Response, date_of, retry_after
from dnsrenew.http.failures import HttpFailure

__all__ = ["HttpClient", "HttpFailure", "Response", "date_of", "retry_after"]
