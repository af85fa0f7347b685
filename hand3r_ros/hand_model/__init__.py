"""MANO-format hands: the differentiable layer, safe reading of MANO files, joint orders and the open hand."""
