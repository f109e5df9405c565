/** The index is not as we left it, or can not be made, opened or gone on with. */
export class IndexFault extends Error {}
