"""HTTPS requests with time-outs, proxies, trust, user agent and size limit; the only folder that imports urllib3."""

from dnsrenew.http.client import HttpClient, Response, date_of, retry_after
from dnsrenew.http.failures import HttpFailure

__all__ = ["HttpClient", "HttpFailure", "Response", "date_of", "retry_after"]
