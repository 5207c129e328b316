"""Networks with random weights as models that somebody has trained: their weights, and a card beside them."""

import json
from dataclasses import replace

from safetensors.torch import save_file

from aucli.zoo.store import sha256_of


def save_model(folder, card, network):
    """Writes the network's weights and its card; returns the card's path. The checksum is the weights'."""
    state = {k: v.contiguous() for k, v in network.state_dict().items() if not k.endswith("batches_tracked")}
    save_file(state, folder / card.weights)
    path = folder / f"{card.name}.json"
    path.write_text(json.dumps(replace(card, sha256=sha256_of(folder / card.weights)).to_json()))
    return path
