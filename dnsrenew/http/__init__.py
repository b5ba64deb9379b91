"""HTTPS requests with time-outs, proxies, trust, user agent and size limit; the only folder that imports urllib3."""

from dnsrenew.http.client import HttpClient, Response
from dnsrenew.http.failures import HttpFailure
from dnsrenew.http.headers import date_of, retry_after

__all__ = ["HttpClient", "HttpFailure", "Response", "date_of", "retry_after"]
