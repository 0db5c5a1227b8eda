"""The site's own Salt and formulas, called on a node through the site's own ``salt-call`` and judged by what it says and leaves."""
