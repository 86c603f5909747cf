import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
const dist='/tmp/snap/dist/browser'
function closure(file, seen=new Set()){ if(seen.has(file)) return [...seen]; seen.add(file); for (const [,a,b] of readFileSync(file,'utf8').matchAll(/^(?:import|export)\b[^'"`;]*?from\s*['"](\.[^'"]+)['"]|^import\s*['"](\.[^'"]+)['"]/gm)) closure(join(dirname(file),a??b),seen); return [...seen] }
const known=closure(join(dist,'index.js'))
console.log(known.map(f=>f.slice(dist.length)))
for (const [e,k] of [['patterns.js',known],['index.js',[]],['webrtc.js',known]]) {
const r=await build({entryPoints:[join(dist,e)],bundle:true,minify:true,format:'esm',write:false,metafile:true,plugins:[{name:'x',setup(b){b.onResolve({filter:/^\./},({path,resolveDir,kind})=> (kind!=='entry-point'&&k.includes(join(resolveDir,path)))||kind==='dynamic-import'?{path,external:true}:undefined)}}]})
console.log(e, r.outputFiles[0].contents.length, gzipSync(r.outputFiles[0].contents,{level:9}).length)
}
