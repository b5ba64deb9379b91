"""The statements that find out why documents must not be added to a fleet.

Two domains clash if one certificate could be used for the other domain: they are the same, one is the wildcard that
covers the other, or one is the wildcard below the other. Certificates that share a tag never clash, and neither do two
without tags.
"""

from __future__ import annotations

from typing import Final

_OTHER: Final = "NOT {one}.tags && {two}.tags AND cardinality({one}.tags) + cardinality({two}.tags) > 0"
_STRANGERS: Final = _OTHER.format(one="existing", two="staged")
# A certificate without tags belongs to nobody: a line of its name may give it some.
_NOT_ITS_OWN: Final = "NOT existing.tags && staged.tags AND cardinality(existing.tags) > 0"
# What certificates with the domain ``own`` or a wildcard about it have among their identifiers, except for those that
# a wildcard ``own`` covers: their parents are it.
_ABOUT: Final = """
unnest(CASE WHEN starts_with(own, '*.') THEN ARRAY[own, substr(own, 3)]
  ELSE ARRAY[own, '*.' || own, '*.' || substr(own, strpos(own, '.') + 1)] END)
"""
_BY_INDEX: Final = f"""
SELECT number, 'domain', name, tags, min(own) FROM (
  SELECT staged.number, existing.name, existing.tags, (
      SELECT min(own) FROM unnest(staged.identifiers) AS own, {_ABOUT} AS about WHERE about = ANY(existing.identifiers)
    ) AS own
  FROM staged
  JOIN dnsrenew_certificate AS existing
    ON existing.identifiers && ARRAY(SELECT about FROM unnest(staged.identifiers) AS own, {_ABOUT} AS about)
  WHERE existing.wanted IS NOT NULL AND existing.name <> staged.name AND {_STRANGERS}
  UNION ALL
  SELECT staged.number, existing.name, existing.tags, (
      SELECT min(own) FROM unnest(staged.identifiers) AS own WHERE own = ANY(existing.parents)
    )
  FROM staged JOIN dnsrenew_certificate AS existing ON existing.parents && staged.identifiers
  WHERE existing.wanted IS NOT NULL AND existing.name <> staged.name AND {_STRANGERS}
) AS domains
WHERE NOT EXISTS (SELECT FROM staged AS too WHERE too.name = domains.name)
GROUP BY number, name, tags
"""  # noqa: S608  # constants
_OF_STAGED: Final = "SELECT number, name, tags, unnest(identifiers) AS own FROM staged"
_ABOUT_STAGED: Final = f"SELECT number, name, tags, own, {_ABOUT} AS about FROM ({_OF_STAGED}) AS owned"  # noqa: S608  # constants
# Thousands of look-ups in the index would take longer than one look at each certificate.
_BY_HASH: Final = f"""
SELECT number, 'domain', name, tags, min(own) FROM (
  SELECT staged.number, existing.name, existing.tags, own
  FROM ({_ABOUT_STAGED}) AS staged
  JOIN (SELECT name, tags, unnest(identifiers) AS about FROM dnsrenew_certificate WHERE wanted IS NOT NULL) AS existing
    USING (about)
  WHERE {_STRANGERS}
  UNION ALL
  SELECT staged.number, existing.name, existing.tags, own
  FROM (SELECT * FROM ({_OF_STAGED}) AS owned WHERE starts_with(own, '*.')) AS staged
  JOIN (SELECT name, tags, unnest(parents) AS own FROM dnsrenew_certificate WHERE wanted IS NOT NULL) AS existing
    USING (own)
  WHERE {_STRANGERS}
) AS domains
WHERE NOT EXISTS (SELECT FROM staged AS too WHERE too.name = domains.name)
GROUP BY number, name, tags
"""  # noqa: S608  # constants
# Each pair is found from one of its sides at least; the later document is refused.
_TWICE: Final = f"""
SELECT greatest(one.number, two.number), 'twice', CASE WHEN one.number > two.number THEN two.name ELSE one.name END,
  CASE WHEN one.number > two.number THEN two.tags ELSE one.tags END,
  min(CASE WHEN one.number > two.number THEN one.own ELSE two.own END)
FROM ({_ABOUT_STAGED}) AS one JOIN ({_OF_STAGED}) AS two ON one.about = two.own
WHERE one.number <> two.number AND {_OTHER.format(one="one", two="two")}
GROUP BY 1, 3, 4
"""  # noqa: S608  # constants


def _clashes(domains: str) -> str:
    return f"""
SELECT number, clash, other, tags, domain FROM (
  SELECT staged.number, 'tags' AS clash, existing.name AS other, existing.tags, NULL AS domain
  FROM staged JOIN dnsrenew_certificate AS existing USING (name)
  WHERE existing.wanted IS NOT NULL AND {_NOT_ITS_OWN}
  UNION ALL
  SELECT staged.number, 'origin', existing.name, existing.tags, NULL
  FROM staged JOIN dnsrenew_certificate AS existing USING (name)
  WHERE existing.wanted IS NOT NULL AND existing.origin <> %(origin)s
  UNION ALL
  ({domains})
  UNION ALL
  ({_TWICE})
) AS found ORDER BY number, clash LIMIT 100
"""  # noqa: S608  # constants


CLASHES_OF_FEW: Final = _clashes(_BY_INDEX)
"""What is found in a relation ``staged`` of some rows: number, clash, name and tags of the other, domain."""
CLASHES: Final = _clashes(_BY_HASH)
"""The same for a table ``staged`` of any size."""
