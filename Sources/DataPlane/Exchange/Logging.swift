import HTTPCodec

extension Exchange {
  /// Writes the exchange's line.
  func write(to log: WorkerAccessLog) {
    let input = input
    let bytes = input.bytes
    let requestID = requestID
    let routeName = route.map(\.nameBytes) ?? []
    let serviceName = service.map(\.nameBytes) ?? []
    let endpoint = servedBy?.addressText ?? []
    let consumerName = consumer.map(\.nameBytes) ?? []
    log.write(
      record, head: request, bytes: bytes, route: routeName.span, service: serviceName.span,
      endpoint: endpoint.span, requestID: requestID.bytes, consumer: consumerName.span)
  }

  /// Writes the line of a request whose head could not be parsed.
  func writeUnparsed(to log: WorkerAccessLog) {
    let input = input
    log.writeUnparsed(record, received: input.bytes)
  }
}
