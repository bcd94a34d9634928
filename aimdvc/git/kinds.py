"""Git's numbers for the types of its objects (gitformat-pack(5))."""

COMMIT, TREE, BLOB, TAG = 1, 2, 3, 4

KIND_NAMES = {COMMIT: b"commit", TREE: b"tree", BLOB: b"blob", TAG: b"tag"}
