"""The owner of a file on Windows."""

from __future__ import annotations

import sys
from typing import Any, Final

_TRUSTED: Final = frozenset(
    (
        "S-1-5-18",  # SYSTEM
        "S-1-5-32-544",  # Administrators
        "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",  # TrustedInstaller
    )
)
_SE_FILE_OBJECT: Final = 1
_OWNER_SECURITY_INFORMATION: Final = 1
_TOKEN_QUERY: Final = 8
_TOKEN_USER: Final = 1


def untrusted_owner(path: str) -> str | None:
    """Return the security identifier of a path's owner, unless it is the running user or a part of Windows.

    None also where Windows does not tell the owner, such as on FAT.
    """
    owner = _owner(path)
    if owner is None or owner in _TRUSTED or owner == _user():
        return None
    return owner


def _owner(path: str) -> str | None:
    if sys.platform != "win32":
        return None
    import ctypes
    from ctypes import wintypes

    owner, descriptor = ctypes.c_void_p(), ctypes.c_void_p()
    get = ctypes.windll.advapi32.GetNamedSecurityInfoW
    get.argtypes = [wintypes.LPCWSTR, ctypes.c_int, wintypes.DWORD, *[ctypes.c_void_p] * 5]
    found = get(
        path,
        _SE_FILE_OBJECT,
        _OWNER_SECURITY_INFORMATION,
        ctypes.byref(owner),
        None,
        None,
        None,
        ctypes.byref(descriptor),
    )
    if found != 0:
        return None
    try:
        return _as_text(owner)
    finally:
        _free(descriptor)


def _user() -> str | None:
    if sys.platform != "win32":
        return None
    import ctypes
    from ctypes import wintypes

    class TokenUser(ctypes.Structure):
        _fields_ = (("sid", ctypes.c_void_p), ("attributes", wintypes.DWORD))

    kernel, security = ctypes.windll.kernel32, ctypes.windll.advapi32
    kernel.GetCurrentProcess.restype = wintypes.HANDLE
    security.OpenProcessToken.argtypes = [wintypes.HANDLE, wintypes.DWORD, ctypes.c_void_p]
    security.GetTokenInformation.argtypes = [
        wintypes.HANDLE, ctypes.c_int, ctypes.c_void_p, wintypes.DWORD, ctypes.c_void_p
    ]  # fmt: skip
    token = wintypes.HANDLE()
    if not security.OpenProcessToken(kernel.GetCurrentProcess(), _TOKEN_QUERY, ctypes.byref(token)):
        return None
    try:
        buffer, needed = ctypes.create_string_buffer(256), wintypes.DWORD()
        if not security.GetTokenInformation(token, _TOKEN_USER, buffer, len(buffer), ctypes.byref(needed)):
            return None
        return _as_text(ctypes.cast(buffer, ctypes.POINTER(TokenUser)).contents.sid)
    finally:
        kernel.CloseHandle(token)


def _as_text(sid: Any) -> str | None:
    if sys.platform != "win32":
        return None
    import ctypes
    from ctypes import wintypes

    text = wintypes.LPWSTR()
    convert = ctypes.windll.advapi32.ConvertSidToStringSidW
    convert.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
    if not convert(sid, ctypes.byref(text)):
        return None
    try:
        return text.value
    finally:
        _free(text)


def _free(memory: Any) -> None:
    if sys.platform == "win32":
        import ctypes

        ctypes.windll.kernel32.LocalFree.argtypes = [ctypes.c_void_p]
        ctypes.windll.kernel32.LocalFree(memory)
