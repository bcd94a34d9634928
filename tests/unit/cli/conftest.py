"""What tests of the command line share."""

import pytest

from tests.shell import Shell
from tests.unit.cli.versions import with_versions


@pytest.fixture
def versions(shell: Shell) -> Shell:
    """A workspace whose artifact `scenes`, at data/images, has two versions."""
    return with_versions(shell)
