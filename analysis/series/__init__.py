"""Both fleets on one time grid."""
