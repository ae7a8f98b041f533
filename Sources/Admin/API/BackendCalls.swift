import Resources

/// Asks the backend, with a limit on its time, and gives failures their answers.
struct BackendCalls: Sendable {
  let backend: any ResourceBackend
  /// For questions.
  let timeout: Duration
  /// For changes.
  let changeTimeout: Duration

  /// An answer that needs no more than the catalogue, or a page of the store.
  func ask<Value: Sendable>(
    _ question: @escaping @Sendable (any ResourceBackend) async throws(BackendFailure) -> Value
  ) async throws(Problem) -> Value {
    let result = await answer(within: timeout) { [backend] () async -> Result<Value, BackendFailure> in
      do throws(BackendFailure) {
        return .success(try await question(backend))
      } catch {
        return .failure(error)
      }
    }
    switch result {
    case .success(let value): return value
    case .failure(let failure): throw Problem(failure)
    case nil: throw Problem(.noAnswer, "There was no answer within \(timeout).")
    }
  }

  /// A change. Where no answer comes, nobody knows whether it takes effect, and the answer says so.
  func change(
    isTransaction: Bool, waiting: Duration?,
    _ change: @escaping @Sendable (any ResourceBackend) async throws(TransactionRefusal) -> TransactionReceipt
  ) async throws(Problem) -> TransactionReceipt {
    let limit = changeTimeout + (waiting ?? .zero)
    let result = await answer(within: limit) {
      [backend] () async -> Result<TransactionReceipt, TransactionRefusal> in
      do throws(TransactionRefusal) {
        return .success(try await change(backend))
      } catch {
        return .failure(error)
      }
    }
    switch result {
    case .success(let receipt): return receipt
    case .failure(let refusal): throw Problem(refusal, isTransaction: isTransaction)
    case nil: throw Problem(.outcomeUnknown, "There was no answer within \(limit).")
    }
  }
}
