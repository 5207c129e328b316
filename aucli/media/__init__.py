"""From files to frames.

Public here: `discover` (what to work on), `probe` (what a file says of itself). `open_decoder` (the
frames) is in `aucli.media.decode`, apart, because it imports torch.
"""

from aucli.media.discover import Discovery, discover
from aucli.media.names import Rejected
from aucli.media.probe import VideoProbe, probe

__all__ = ["Discovery", "Rejected", "VideoProbe", "discover", "probe"]
