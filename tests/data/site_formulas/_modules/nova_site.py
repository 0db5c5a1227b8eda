"""A made-up module of a site's formulas."""


def whose():
    return "the site's"
