"""What the operators of Careroute decide: settings from the environment, and reviewed data in YAML files.

Each YAML file has one reader of the same name: `screening` (the questions), `conditions`, `providers` (the network)
and `sources` (who may send submissions). All four go through `yaml_file`, which says where a mistake is.
"""
