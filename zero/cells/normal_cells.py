"""Texts of published normal cells that stand in their own networks and in stacks of blocks.

Read by `zero.cells.published`, which says where they are from, and `zero.cells.blocks`.
"""

NORMAL_CELLS = {
    "nasnet_a": """sep5(cur)+sep3(prev) sep5(prev)+sep3(prev) avg3(cur)+id(prev)
        avg3(prev)+avg3(prev) sep3(cur)+id(cur) out(prev,n1,n2,n3,n4,n5)""",
    "amoebanet_a": """avg3(cur)+max3(cur) sep3(prev)+id(prev) id(cur)+avg3(prev)
        sep3(cur)+sep5(n1) avg3(n4)+sep3(cur) out(prev,n2,n3,n5)""",
    "darts_v2": """sep3(prev)+sep3(cur) sep3(prev)+sep3(cur) sep3(cur)+id(prev)
        id(prev)+dil3(n1) out(n1,n2,n3,n4)""",
}
