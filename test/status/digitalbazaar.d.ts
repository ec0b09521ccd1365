declare module '@digitalbazaar/vc-bitstring-status-list' {
  /** The part that the tests compare with; the package brings no types. */
  export class BitstringStatusList {
    constructor(options: { readonly length: number })
    readonly length: number
    setStatus(index: number, status: boolean): void
    getStatus(index: number): boolean
    encode(): Promise<string>
    static decode(options: { readonly encodedList: string }): Promise<BitstringStatusList>
  }
}
