"""The networks behind aucli: torch and timm only; nothing here knows videos, files or the command line."""
