import Resources

extension Gateway {
  func startAdmin(_ configuration: Configuration) async throws(GatewayError) {}
}
