import HTTPCodec

extension Exchange {
  /// Writes the exchange's line.
  func write(to log: WorkerAccessLog, _ route: CompiledRoute?, _ service: UpstreamService?) {
    let input = input
    let bytes = input.bytes
    let requestID = requestID
    let routeName = route?.nameBytes ?? []
    let serviceName = service?.nameBytes ?? []
    let endpoint = servedBy?.addressText ?? []
    let consumerName = consumer?.nameBytes ?? []
    let record = record
    withRequest { head in
      log.write(
        record, head: head, bytes: bytes, route: routeName.span, service: serviceName.span,
        endpoint: endpoint.span, requestID: requestID.bytes, consumer: consumerName.span)
    }
  }

  /// Writes the line of a request whose head could not be parsed.
  func writeUnparsed(to log: WorkerAccessLog) {
    let input = input
    log.writeUnparsed(record, received: input.bytes)
  }
}
