"""Every DNS host that other clients know is found by each of its names, with a way that works."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dnsrenew.cli import main
from dnsrenew.drivers import scripts
from dnsrenew.drivers.catalogue import find_provider, left_out_hosts, provider_names
from dnsrenew.drivers.scripts import find_other, is_named, other_hosts, way_of, without_driver

NAMES = """
Hostinger; Akamai Edge DNS; cPanel; WHM; Netlify; ALL-INKL; KAS; Strato; Leaseweb; ISPConfig; Huawei Cloud; Reg.ru;
Selectel v2; RU-CENTER; nic.ru; Beget; Gcore; do.de; DNSExit; Tencent EdgeOne; Alibaba ESA; Baidu Cloud; Volcengine;
AWS Lightsail
AutoDNS; InterNetX; Active24; Websupport; west.cn; mijn.host; Core-Networks; EuroDNS; ZoneEdit; ddnss.de; IPv64.net;
Mail-in-a-Box; Czechia; Bluecat; EfficientIP SOLIDserver; JD Cloud; Gname; DNS.LA; HostUp; BookMyName; Neodigit;
HE dynamic TXT key; Openprovider; Dynadot
alwaysdata; Anexia; ArtFiles; Azion; Civo; CloudDNS.cz; 35.com; Curanet; OpenStack Designate; 51DNS; Dyn;
EdgeCenter; Fornex; freemyip; HEXONET; Hosting.nl; hosttech; IONOS Cloud DNS; IPProjects; Liara; LimaCity; Metaname;
mittwald; MyDNS.jp; Nanelo; NederHost; omg.lol; OpusDNS; PowerAdmin; RainYun; selfHOST; ServerCow; Tele3; TodayNIC;
UCloud; united-domains Reselling; Variomedia; Veesp; Vscale; Xinnet; Yandex 360; Zone.ee; acmeproxy
1984Hosting; Abion; Alviy; Arsys; Axelname; Best-Hosting.cz; bHosted; BinaryLane; Bindman; Bluecat v2; BytePlus;
cdmon; Checkdomain; Cloud.ru; CMCC/CTCC clouds; Combell; Connbyte; ConoHa v3; Cyon; DanDomain; Derak; DNScale;
dnsHome.de; DNSPod Intl; DurableDNS; dyndnsfree; Epik; Excedo; F5 XC; Firestorm; FirstDomains; Geoscaling;
Gigahost.no; Gravity; hoster.by; HyperOne; IIJ DPF; Infoblox UDDI; isset; Kapper; Katapult; KeyHelp; KingHost;
Level27; Liquid Web; ManageEngine; mchost24; MetaRegistrar; MGW-Media; myaddr; MyDevil; NameMaster; NameSurfer;
NeoServ; Netnod; Nexcess; Ngenix; Nicmanager; NIFCLOUD; Nodion; Octenium; one.com; 1cloud.ru; Open Telekom Cloud;
OPNsense BIND; QUIC.cloud; QingCloud; RackCorp; Regery; RimuHosting; Rockenstein; ScanNet; SchlundTech; Shellrent;
Simple DNS Plus; SiteHost; Sonic; Sotoon; Syse; TheLittleHost; TotalUptime; UniFi; VegaDNS; Versio; VinylDNS; Virak;
Virtualname; VK Cloud; Wannafind; webnames.ca/.ru; webnames.ca; webnames.ru; World4You; addr.tools; Windows DNS
Contabo; STACKIT; LWS; Forpsi; muumuu; Synergy Wholesale; LunaNode; Myra; CSC; Exonet; noris; next layer; PS.kz;
timeweb.ru; GNY; Astutium; 阿里云; 腾讯云; 华为云
"""
"""What lego, acme.sh, Posh-ACME, simple-acme, Nginx Proxy Manager, Certimate and libdns call their hosts."""


def found(word: str, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the result of a search."""
    assert main(["providers", "--search", word, "--json"]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder without a configuration, on a machine without acme.sh."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(scripts, "_PLACES", ())


def test_every_host_is_found() -> None:
    """Each name, also a Chinese one, finds a host and its way."""
    providers = [its for name in provider_names() if (its := find_provider(name)) is not None]
    others = without_driver()
    ways: dict[str, set[str]] = {}
    for name in filter(None, (line.strip() for line in NAMES.replace(";", "\n").splitlines())):
        ways[name] = {way_of(each) for each in providers if is_named(name, each)}
        ways[name] |= {each.way for each in others if is_named(name, each)}
    assert len(ways) > 180
    assert [name for name, its in ways.items() if not its] == []


def test_no_host_stands_twice() -> None:
    """A name leads to one host; a host with a file of its own is not in the list of those without."""
    hosts = other_hosts()
    names = [name for host in hosts for name in {each.casefold() for each in (host.name, host.title, *host.names)}]
    assert sorted({name for name in names if names.count(name) > 1}) == []
    assert [host.name for host in hosts if find_provider(host.name) is not None] == []
    assert [host.name for host in hosts if host.name in left_out_hosts()] == []
    scripts = [host.script for host in hosts if host.script]
    assert sorted({script for script in scripts if scripts.count(script) > 1}) == []
    providers = [its for name in provider_names() if (its := find_provider(name)) is not None]
    ours = {script for its in providers for script in its.tools.get("acme_sh", ())}
    assert ours.isdisjoint(scripts)


@pytest.mark.parametrize(
    ("word", "way"),
    [
        pytest.param("cloudflare", "driver of dnsrenew", id="driver"),
        pytest.param("vultr", "dns-lexicon", id="lexicon"),
        pytest.param("Cyon.ch", "script dns_cyon of acme.sh (not installed)", id="script"),
        pytest.param("mittwald", "dnsrenew delegate NAME", id="delegate"),
        pytest.param("阿里", "dns-lexicon", id="aliyun"),
        pytest.param("腾讯", "dns-lexicon", id="tencent"),
        pytest.param("华为", "driver of dnsrenew", id="huawei"),
        pytest.param("百度", "dnsrenew delegate NAME", id="baidu"),
        pytest.param("京东", "script dns_jd of acme.sh (not installed)", id="jd"),
        pytest.param("西部数码", "script dns_west_cn of acme.sh (not installed)", id="west"),
        pytest.param("Strato", "dnsrenew delegate NAME", id="no-api"),
    ],
)
def test_the_way_is_shown(word: str, way: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The table has the way of each host that is found."""
    assert main(["providers", "--search", word]) == 0
    assert way in capsys.readouterr().out


def test_an_installed_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script that is on this machine is said to be."""
    (tmp_path / "dns_cyon.sh").write_text("")
    monkeypatch.setattr(scripts, "_PLACES", (str(tmp_path),))
    (host,) = found("cyon", capsys)["others"]
    assert host == {
        "name": "cyon",
        "title": "cyon",
        "names": ["cyon.ch"],
        "way": "acme.sh",
        "script": "dns_cyon",
        "installed": True,
    }


def test_the_name_of_a_host_without_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    """`dnsrenew providers NAME` says what to do instead."""
    assert main(["providers", "mittwald"]) == 2
    assert "dnsrenew delegate NAME" in " ".join(capsys.readouterr().err.split())
    assert find_other("MITTWALD") is not None
