"""HTTPS requests with time-outs, proxies, trust, user agent and size limit; the only folder that imports urllib3."""

from dnsrenew.base.http.client import HttpClient, Response, date_of, retry_after, texts_of
from dnsrenew.base.http.connections import BoundedAnswer
from dnsrenew.base.http.failures import HttpFailure

__all__ = ["BoundedAnswer", "HttpClient", "HttpFailure", "Response", "date_of", "retry_after", "texts_of"]
