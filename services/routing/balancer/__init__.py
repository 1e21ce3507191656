"""The balancer: which share of each work type is to go to which team."""
