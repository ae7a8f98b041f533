"""What scenario tests are made of: gateways, origins and clients that misbehave on purpose."""
