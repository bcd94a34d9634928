"""Git's numbers for the types of its objects (gitformat-pack(5))."""

COMMIT, TREE, BLOB, TAG = 1, 2, 3, 4

OFS_DELTA, REF_DELTA = 6, 7
"""In a pack: what makes an object out of another one, named by the distance to it or by its id."""

KIND_NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}
